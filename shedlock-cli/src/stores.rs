//! The stores: which scheme of a URL means which provider, and which feature brings it. A new store is one line here, and its crate in the
//! manifest.

use std::sync::Arc;

use crate::exit::{Exit, Failure};
use crate::store::Store;

#[macro_use]
mod entry;

pub(crate) use entry::{has_secret, without_secrets};

stores! {
    // feature, schemes, example, provider and what begins its builder: parameter of the URL and its option; what the URL is to the provider;
    // what must be looked at before the first lock; what makes the schema; what checks it; whether it can keep a history of runs; the text of
    // the schema
    "sqlite": ["sqlite"] "sqlite:///var/lib/app/shedlock.db" => shedlock_sqlx::SqliteLockProvider[builder_from_url]:
        "table" table_name; set_up: ensure_schema; check: check_schema |report| report.warnings().to_vec(); keeps: history; text: entry::Schema::Sql(shedlock_sql::Dialect::Sqlite);
    "postgres": ["postgres", "postgresql"] "postgres://user@host/database" => shedlock_sqlx::PostgresLockProvider[builder_from_url]:
        "table" table_name; set_up: ensure_schema; check: check_schema |report| report.warnings().to_vec(); keeps: history; text: entry::Schema::Sql(shedlock_sql::Dialect::Postgres);
    "mysql": ["mysql", "mariadb"] "mysql://user@host/database" => shedlock_sqlx::MySqlLockProvider[builder_from_url]:
        "table" table_name; set_up: ensure_schema; check: check_schema |report| report.warnings().to_vec(); keeps: history; text: entry::Schema::Sql(shedlock_sql::Dialect::MySql);
    "redis": ["redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster", "redis+unix", "valkey", "valkeys"] "redis://host" => shedlock_redis::RedisLockProvider[builder_from_url]:
        "prefix" prefix; check: check_store |report| report.warnings().to_vec(); text: entry::Schema::None("Redis needs no schema");
    "nats": ["nats", "tls"] "nats://host" => shedlock_nats::NatsLockProvider[builder_from_url]:
        "bucket" bucket; set_up: ensure_bucket; check: check_bucket |report| report.warnings; text: entry::Schema::None("`shedlock migrate run` makes the bucket");
    "mongodb": ["mongodb", "mongodb+srv"] "mongodb://host/database" => shedlock_mongodb::MongoLockProvider[builder_from_url]:
        "collection" collection; set_up: ensure_indexes; check: check_schema |()| Vec::new(); text: entry::Schema::None("MongoDB needs no schema; `shedlock migrate run` makes an index that forgets free locks");
    "dynamodb": ["dynamodb"] "dynamodb://eu-central-1/Shedlock" => shedlock_dynamodb::DynamoDbLockProvider[builder_from_url]:
        "table" table; set_up: ensure_schema; check: check_schema |()| Vec::new(); text: entry::Schema::None("`shedlock migrate run` makes the table");
    "etcd": ["etcd", "etcds"] "etcd://host:2379" => shedlock_etcd::EtcdLockProvider[builder_from_url]:
        "environment" environment; url: entry::etcd_members; text: entry::Schema::None("etcd needs no schema");
    "memcached": ["memcached"] "memcached://host" => shedlock_memcached::MemcachedLockProvider[builder]:
        "environment" environment; check: check_store |report| report.warnings().to_vec(); text: entry::Schema::None("Memcached needs no schema");
    "object-store": ["s3", "gs", "az"] "s3://bucket" => shedlock_object_store::ObjectStoreLockProvider[builder_from_url]:
        "prefix" prefix; first: check_store; check: check_store |report| report.warnings; text: entry::Schema::None("an object store needs no schema, but a bucket");
    "zookeeper": ["zookeeper"] "zookeeper://host" => shedlock_zookeeper::ZooKeeperLockProvider[builder_from_url]:
        "path" path; text: entry::Schema::None("ZooKeeper needs no schema");
}

/// The parameter of a URL that switches the history of runs on, and says how long a run is kept.
pub(crate) const HISTORY: &str = "history";

/// Opens the store at `url`, as the node `node`.
pub(crate) fn open(url: &str, node: Option<&str>) -> Result<Arc<dyn Store>, Failure> {
    let entry = find(url)?;
    let (url, place) = entry::without_parameter(url, entry.parameter);
    let (url, history) = entry::without_parameter(&url, HISTORY);
    let history = history
        .map(|kept| entry::history(entry, &kept))
        .transpose()?;
    (entry.open)(&url, node, place, history)
}

/// The URL of the same store without its history of runs.
pub(crate) fn without_history(url: &str) -> String {
    entry::without_parameter(url, HISTORY).0
}

/// What the store at `url` needs, as a text for its administrator, without asking it.
pub(crate) fn schema(url: &str) -> Result<String, Failure> {
    let entry = find(url)?;
    let (url, place) = entry::without_parameter(url, entry.parameter);
    let (_, history) = entry::without_parameter(&url, HISTORY);
    let history = history
        .map(|kept| entry::history(entry, &kept))
        .transpose()?;
    entry.schema.text(place.as_deref(), history.is_some())
}

fn find(url: &str) -> Result<&'static entry::Entry, Failure> {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    let scheme = if scheme.is_empty() { url } else { scheme };
    let known = STORES.iter().find(|entry| entry.schemes.contains(&scheme));
    match known {
        Some(entry) => Ok(entry),
        None => Err(Failure::new(Exit::USAGE, unknown(url, scheme))),
    }
}

fn unknown(url: &str, scheme: &str) -> String {
    let examples: Vec<_> = STORES
        .iter()
        .map(|entry| format!("`{}`", entry.example))
        .collect();
    let missing = |scheme: &str| {
        let found = MISSING
            .iter()
            .find(|(_, schemes)| schemes.contains(&scheme))?;
        Some(found.0)
    };
    if let Some(feature) = missing(scheme) {
        return format!(
            "this `shedlock` was built without stores of the scheme `{scheme}`; \
             install it with `cargo install shedlock-cli --features {feature}`"
        );
    }
    // Without a scheme, the whole text may be a secret.
    let what = match url.split_once("://") {
        Some((scheme, _)) => format!("no store has the scheme `{}`", scheme.escape_default()),
        None => "the store's URL has no scheme".to_owned(),
    };
    let more: Vec<_> = MISSING.iter().map(|(feature, _)| *feature).collect();
    let more = if more.is_empty() {
        String::new()
    } else {
        format!("; not built in: the features {}", more.join(", "))
    };
    format!("{what}; built in are {}{more}", examples.join(", "))
}
