//! Tables, sessions and ways to connect.

use std::time::Duration;

use shedlock_runtime::{LockAdmin as _, NamespacedLockProvider, SkipReason};
use shedlock_sqlx::{ColumnNames, LockClock, SqlxLockProvider};
use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Sqlite};

use crate::place::{self, Place, Table, TestStore, Via};
use crate::{HOUR, later, skipped, works};

each_database! {
    names_are_the_builders
    the_clients_clock_can_decide
    no_statement_need_stay_prepared
    a_token_column_may_come_and_go
    many_rows_are_pruned_in_batches
    a_namespace_prunes_its_own_rows
}

async fn names_are_the_builders<DB: TestStore>(place: Place<DB>) {
    let columns = ColumnNames::default()
        .with_name("the job's")
        .with_lock_until(":until")
        .with_locked_at("order")
        .with_locked_by("{is_pause}")
        .with_fencing_token("to\"ken");
    let provider = place
        .builder(Via::Url)
        .table_name("the `locks`")
        .columns(columns)
        .build()
        .expect("legal names");
    provider
        .ensure_schema()
        .await
        .expect("the table can be made");
    works(&provider).await;
}

async fn the_clients_clock_can_decide<DB: TestStore>(place: Place<DB>) {
    for table in [Table::Ours, Table::ShedLocks] {
        place.execute("DROP TABLE IF EXISTS shedlock").await;
        place.make(table).await;
        let builder = place.builder(Via::Url).clock(LockClock::Client);
        works(&builder.build().expect("legal options")).await;
    }
}

/// As where a pooler stands between.
async fn no_statement_need_stay_prepared<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    for clock in [LockClock::Database, LockClock::Client] {
        let builder = place.builder(Via::Url).persistent_statements(false);
        works(&builder.clock(clock).build().expect("legal options")).await;
    }
}

async fn a_token_column_may_come_and_go<DB: TestStore>(place: Place<DB>) {
    let provider = place.provider(Via::Url);
    for table in [Table::Ours, Table::ShedLocks, Table::Ours] {
        place.execute("DROP TABLE IF EXISTS shedlock").await;
        place.make(table).await;
        provider
            .ensure_schema()
            .await
            .expect("the table is there already");
        provider
            .pause("a", later(), "")
            .await
            .expect("a lock can be paused");
        let paused = provider.get("a").await.expect("the row can be read");
        let token = paused.expect("it is known").fencing_token;
        assert_eq!(token.is_some(), table == Table::Ours);
        assert!(provider.resume("a").await.expect("it is paused"));
        provider
            .prune(Duration::ZERO)
            .await
            .expect("rows can be deleted");
        works(&provider).await;
    }
}

async fn many_rows_are_pruned_in_batches<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    DB::insert_foreign(&place.pool, "x").await;
    // Twelve times as many again under longer names, as there is no one way to make rows from nothing.
    for doubling in 0..12 {
        let longer = ["a", "b", "c"][doubling / 4].repeat(1 << (doubling % 4));
        let rows = format!(
            "INSERT INTO shedlock (name, lock_until, locked_at, locked_by) \
             SELECT CONCAT(name, '{longer}'), lock_until, locked_at, locked_by FROM shedlock"
        );
        place.execute(&rows).await;
    }
    let count = async || {
        let texts = DB::texts(&place.pool, "SELECT name FROM shedlock").await;
        texts.len()
    };
    assert_eq!(count().await, 4096);
    let provider = place.provider(Via::Url);
    assert_eq!(skipped(&provider, "held").await, None);
    provider
        .pause("paused", later(), "")
        .await
        .expect("a lock can be paused");
    let day = Duration::from_hours(24);
    let pruned = provider.prune_prefix("xa", day).await;
    assert_eq!(pruned.expect("rows can be deleted"), 3840);
    let pruned = provider.prune(day).await.expect("rows can be deleted");
    assert_eq!(pruned, 256);
    assert_eq!(count().await, 2);
    assert_eq!(skipped(&provider, "held").await, Some(SkipReason::Held));
}

async fn a_namespace_prunes_its_own_rows<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    let within = |namespace| NamespacedLockProvider::new(place.provider(Via::Url), namespace);
    let prod = within("prod").expect("a legal namespace");
    let nested = NamespacedLockProvider::new(prod.clone(), "eu").expect("a legal namespace");
    let ours = ["prod/a", "prod/eu/a", "prod/eu/b", "prod/pro"];
    let others = ["PROD/a", "eu/a", "pro/a", "prod", "prod2/a", "pröd/a"];
    for name in ours.iter().chain(&others) {
        DB::insert_foreign(&place.pool, name).await;
    }
    assert_eq!(skipped(&prod, "held").await, None);
    let pruned = nested.prune_prefix("b", HOUR).await;
    assert_eq!(pruned.expect("rows can be deleted"), 1);
    let pruned = nested.prune(HOUR).await;
    assert_eq!(pruned.expect("rows can be deleted"), 1);
    let pruned = prod.prune(HOUR).await;
    assert_eq!(pruned.expect("rows can be deleted"), 2);
    let listed = place.provider(Via::Url).list().await;
    let listed = listed.expect("the rows can be read");
    let left: Vec<_> = listed.iter().map(|info| info.name.as_str()).collect();
    let stay = [
        "PROD/a",
        "eu/a",
        "pro/a",
        "prod",
        "prod/held",
        "prod2/a",
        "pröd/a",
    ];
    assert_eq!(left, stay);
    assert_eq!(skipped(&nested, "a").await, None, "it can be taken as ever");
}

/// Columns that take names for one another which are not the same.
async fn prefixes_differ_whatever_the_collation<DB: TestStore>(
    place: &Place<DB>,
    columns: &[&str],
) {
    let provider = place.provider(Via::Url);
    for column in columns {
        let table = format!(
            "CREATE TABLE shedlock (name {column} NOT NULL PRIMARY KEY, lock_until TIMESTAMP(3) NULL, \
             locked_at TIMESTAMP(3) NULL, locked_by VARCHAR(255))"
        );
        place.execute(&table).await;
        DB::insert_foreign(&place.pool, "Jöb_a").await;
        for other in ["jöb_", "JÖB_", "Job_", "Jöba", "Jöb%", "öb_", "Jöb_a "] {
            let pruned = provider.prune_prefix(other, HOUR).await;
            assert_eq!(pruned.expect("rows can be deleted"), 0, "{column}: {other}");
        }
        let pruned = provider.prune_prefix("Jöb_", HOUR).await;
        assert_eq!(pruned.expect("rows can be deleted"), 1, "{column}");
        place.execute("DROP TABLE shedlock").await;
    }
}

#[tokio::test]
async fn a_prefix_on_columns_of_postgres() {
    let place: Place<Postgres> = server_or_skip!(Place::empty().await);
    let folding = "CREATE COLLATION folding (provider = icu, locale = 'und-u-ks-level1', deterministic = false)";
    place.execute(folding).await;
    let columns = ["VARCHAR(64)", "TEXT COLLATE folding", "CHAR(64)", "NAME"];
    prefixes_differ_whatever_the_collation(&place, &columns).await;
}

#[tokio::test]
async fn a_prefix_on_columns_of_mysql() {
    let place: Place<MySql> = server_or_skip!(Place::empty().await);
    let columns = [
        "VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        "VARCHAR(64) CHARACTER SET latin1 COLLATE latin1_swedish_ci",
        "VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    ];
    prefixes_differ_whatever_the_collation(&place, &columns).await;
}

#[tokio::test]
async fn a_prefix_on_columns_of_sqlite() {
    let place: Place<Sqlite> = server_or_skip!(Place::empty().await);
    let columns = ["TEXT COLLATE NOCASE", "TEXT COLLATE RTRIM", "TEXT"];
    prefixes_differ_whatever_the_collation(&place, &columns).await;
}

#[tokio::test]
async fn postgres_columns_with_a_zone() {
    let place: Place<Postgres> = server_or_skip!(Place::empty().await);
    let table = Postgres::SHEDLOCKS_TABLE.replace("TIMESTAMP", "TIMESTAMPTZ");
    for (table, zone) in [
        (table.as_str(), "UTC"),
        (table.as_str(), "Asia/Tokyo"),
        (Postgres::SHEDLOCKS_TABLE, "America/Los_Angeles"),
    ] {
        place.execute("DROP TABLE IF EXISTS shedlock").await;
        place.execute(table).await;
        let options: sqlx::postgres::PgConnectOptions = place.direct.parse().expect("a valid URL");
        let options = options.options([("TimeZone", zone)]);
        works(&SqlxLockProvider::new(sqlx::PgPool::connect_lazy_with(
            options,
        )))
        .await;
    }
}

#[tokio::test]
async fn mysql_columns_of_each_kind() {
    let place: Place<MySql> = server_or_skip!(Place::empty().await);
    let zone = |options: sqlx::mysql::MySqlConnectOptions| options.timezone(None);
    for column in ["TIMESTAMP(3)", "TIMESTAMP(6)", "DATETIME(3)", "DATETIME(6)"] {
        place.execute("DROP TABLE IF EXISTS shedlock").await;
        let table = MySql::SHEDLOCKS_TABLE
            .replace("TIMESTAMP(3) NOT NULL,", &format!("{column} NOT NULL,"));
        place.execute(&table).await;
        works(&place.provider(Via::Url)).await;
        // Neither strict nor READ COMMITTED.
        let options = zone(place.direct.parse().expect("a valid URL"));
        let lenient = place::not_strict().connect_lazy_with(options);
        works(&SqlxLockProvider::new(lenient)).await;
    }
}

#[tokio::test]
async fn sqlite_columns_of_each_kind() {
    let place: Place<Sqlite> = server_or_skip!(Place::empty().await);
    for table in [
        Sqlite::SHEDLOCKS_TABLE,
        "CREATE TABLE shedlock (name TEXT PRIMARY KEY, lock_until, locked_at, locked_by)",
    ] {
        place.execute("DROP TABLE IF EXISTS shedlock").await;
        place.execute(table).await;
        works(&place.provider(Via::Url)).await;
        works(&place.provider(Via::Pool)).await;
    }
}
