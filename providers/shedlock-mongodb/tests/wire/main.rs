//! What stands in MongoDB, field by field, and nodes on the JVM, alone and as a fleet.

#[path = "../support/place.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod place;

mod fleet;
mod jvm;

use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, DateTime, Document, doc};
use shedlock_mongodb::{MongoLockProvider, mongodb};
use shedlock_runtime::{Lock, LockConfiguration, LockProviderExt as _, SkipReason};
use shedlock_testkit::server_or_skip;

use place::{Deciding, Place};

pub(crate) const JOB: &str = "nightly-report";
pub(crate) const HOST: &str = "app.example";

/// Both places of a test, or the skip of the whole test.
macro_rules! places {
    () => {{
        let mut places = Vec::new();
        for deciding in crate::place::BOTH {
            places.push(shedlock_testkit::server_or_skip!(
                crate::place::Place::new(deciding).await
            ));
        }
        places
    }};
}
pub(crate) use places;

pub(crate) fn config(at_most: &str) -> LockConfiguration {
    LockConfiguration::new(JOB, at_most).expect("a legal configuration")
}

pub(crate) async fn try_lock(
    provider: &MongoLockProvider,
    config: LockConfiguration,
) -> Option<Lock> {
    let answer = provider.try_lock(config).await;
    answer.expect("the server answers")
}

fn shape(document: &Document) -> Vec<(&str, &str)> {
    let kind = |value: &Bson| match value {
        Bson::String(_) => "string",
        Bson::DateTime(_) => "date",
        Bson::Int64(_) => "long",
        Bson::Int32(_) => "int",
        Bson::Document(_) => "document",
        Bson::Boolean(_) => "bool",
        _ => "other",
    };
    let fields = document
        .iter()
        .map(|(name, value)| (name.as_str(), kind(value)));
    fields.collect()
}

#[tokio::test]
async fn documents_are_as_jvm_nodes_write_them_and_a_token() {
    for place in places!() {
        // The stand-in evaluates an expression's value once more, so a `$` can only be shown without expressions.
        let name = match place.deciding {
            Deciding::Server => "web-ü",
            Deciding::Client => "$web-ü",
        };
        let node = place.builder_at(&place.url()).node_name(name).build();
        let node = node.expect("valid");
        let mut lock = try_lock(&node, config("1m")).await.expect("is free");
        let found = place.get(JOB).await.expect("a document");
        let expected = [
            ("_id", "string"),
            ("lockUntil", "date"),
            ("lockedAt", "date"),
            ("lockedBy", "string"),
            ("fencingToken", "long"),
        ];
        assert_eq!(shape(&found), expected, "{:?}", place.deciding);
        let owner = found.get_str("lockedBy").expect("a string").to_owned();
        let secret = owner
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('#'));
        assert_eq!(secret.map(str::len), Some(32), "{owner}");
        let at = |document: &Document, field: &str| {
            let date = document.get_datetime(field).expect("a date");
            date.timestamp_millis()
        };
        let length = at(&found, "lockUntil") - at(&found, "lockedAt");
        assert!((60_000..=60_001).contains(&length), "{length}");
        let token = found.get_i64("fencingToken").expect("a long");
        assert_eq!(lock.fencing_token(), u64::try_from(token).ok());

        lock.extend("10m", "0s").await.expect("the lease is live");
        let extended = place.get(JOB).await.expect("a document");
        assert_eq!(at(&extended, "lockedAt"), at(&found, "lockedAt"));
        assert!(at(&extended, "lockUntil") > at(&found, "lockUntil") + 500_000);
        let numbered = format!("{owner}000000000002");
        assert_eq!(extended.get_str("lockedBy").expect("a string"), numbered);

        lock.unlock().await.expect("the server answers");
        let freed = place
            .get(JOB)
            .await
            .expect("free locks keep their document");
        assert!(at(&freed, "lockUntil") <= DateTime::now().timestamp_millis());
        assert!(
            freed
                .get_str("lockedBy")
                .expect("a string")
                .starts_with(&owner)
        );
        assert_eq!(shape(&freed), expected);
    }
}

#[tokio::test]
async fn a_position_is_a_document_of_its_own() {
    for place in places!() {
        let node = place.node();
        let step = config("1m").with_step(1).expect("legal");
        let lock = try_lock(&node, step).await.expect("is free");
        let position = async || {
            let found = place.get(JOB).await.expect("a document");
            found.get_document("position").expect("a position").clone()
        };
        let begun = position().await;
        assert_eq!(
            begun.get("number").and_then(Bson::as_i64),
            Some(1),
            "{begun}"
        );
        assert_eq!(begun.get_bool("isDone").ok(), Some(false), "{begun}");
        assert_eq!(begun.get_i32("tries").ok(), Some(1), "{begun}");
        lock.complete().await.expect("the server answers");
        assert_eq!(position().await.get_bool("isDone").ok(), Some(true));
    }
}

/// A step that is not due is refused without a document: JVM nodes would take a document without an end for a lock that is held for ever.
#[tokio::test]
async fn what_is_refused_makes_no_document() {
    for place in places!() {
        let node = place.node();
        let step = config("1m").with_step(2).expect("legal");
        let refusal = node.lock(step).await.expect("the server answers");
        let refusal = refusal.expect_err("step one comes first");
        assert_eq!(refusal.reason, SkipReason::Gap);
        assert_eq!(place.get(JOB).await, None);
    }
}

#[tokio::test]
async fn collection_and_fields_may_have_other_names() {
    for place in places!() {
        let builder = place.builder_at(&place.url()).collection("tokens");
        let builder = builder
            .lock_until_field("expiresAt")
            .locked_at_field("createdAt");
        let node = builder.locked_by_field("token").build().expect("valid");
        let lock = try_lock(&node, config("1m")).await.expect("is free");
        assert!(try_lock(&node, config("1m")).await.is_none());
        let tokens = place.database.collection::<Document>("tokens");
        let found = tokens.find_one(doc! { "_id": JOB }).await;
        let found = found.expect("the server answers").expect("a document");
        let names: Vec<_> = found.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["_id", "expiresAt", "createdAt", "token", "fencingToken"]
        );
        lock.unlock().await.expect("the server answers");
        assert!(try_lock(&node, config("1m")).await.is_some());
        assert_eq!(place.get(JOB).await, None);
    }
}

/// Documents of a program with tokens of its own: other names, no time of the acquisition, a field that is none of ours, and an index by
/// which MongoDB deletes them.
#[tokio::test]
async fn tokens_of_another_program_are_honoured_and_written() {
    for place in places!() {
        let (day, minute) = (Duration::from_secs(24 * 60 * 60), Duration::from_secs(60));
        let builder = place.builder_at(&place.url()).collection("executionTokens");
        let builder = builder
            .lock_until_field("expiresAt")
            .locked_at_field("takenAt");
        let builder = builder.locked_by_field("owner").with_ttl_index(day);
        let node = builder.build().expect("valid");
        node.ensure_indexes().await.expect("can be made");
        let tokens = place.database.collection::<Document>("executionTokens");
        let indexes = tokens.list_indexes().await.expect("the server answers");
        let indexes: Vec<_> = indexes.try_collect().await.expect("the server answers");
        let of_ends = indexes.iter().find(|it| it.keys == doc! { "expiresAt": 1 });
        let options = of_ends.and_then(|it| it.options.clone());
        assert_eq!(options.and_then(|it| it.expire_after), Some(day));

        let now = || DateTime::from_system_time(SystemTime::now());
        let end = DateTime::from_system_time(SystemTime::now() + minute);
        let token = doc! { "_id": JOB, "owner": "worker-3", "expiresAt": end, "tries": 7 };
        tokens.insert_one(token).await.expect("the server answers");
        let refusal = node.lock(config("1m")).await.expect("the server answers");
        let refusal = refusal.expect_err("the other program holds it");
        assert_eq!(refusal.node.as_deref(), Some("worker-3"));

        let of_job = doc! { "_id": JOB };
        let ended = doc! { "$set": { "expiresAt": now() } };
        let ended = tokens.update_one(of_job.clone(), ended).await;
        assert_eq!(ended.expect("the server answers").matched_count, 1);
        tokio::time::sleep(Duration::from_millis(5)).await;
        let lock = try_lock(&node, config("1m")).await.expect("has ended");
        let found = tokens.find_one(of_job.clone()).await;
        let found = found.expect("the server answers").expect("a document");
        let expected = [
            ("_id", "string"),
            ("expiresAt", "date"),
            ("fencingToken", "long"),
            ("owner", "string"),
            ("takenAt", "date"),
            ("tries", "int"),
        ];
        let mut found = shape(&found);
        found.retain(|(field, _)| *field != "previous");
        found.sort_unstable();
        assert_eq!(found, expected);

        // The other program takes a token whose end has come.
        let take = async || {
            let free = doc! { "_id": JOB, "expiresAt": { "$lte": now() } };
            let taking = doc! { "$set": { "owner": "worker-3", "expiresAt": end } };
            let answer = tokens.update_one(free, taking).await;
            answer.expect("the server answers").matched_count == 1
        };
        assert!(!take().await, "is held");
        lock.unlock().await.expect("the server answers");
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(take().await, "was released");
        assert!(try_lock(&node, config("1m")).await.is_none());
    }
}

/// Another program's fields in a lock's document stay.
#[tokio::test]
async fn unknown_fields_stay() {
    for place in places!() {
        let ended = DateTime::from_millis(1);
        place.put(doc! { "_id": JOB, "lockUntil": ended, "lockedAt": ended, "lockedBy": HOST, "team": "reports" }).await;
        let node = place.node();
        let mut lock = try_lock(&node, config("1m")).await.expect("has ended");
        lock.extend("10m", "0s").await.expect("the lease is live");
        lock.unlock().await.expect("the server answers");
        let found = place.get(JOB).await.expect("a document");
        assert_eq!(found.get_str("team").ok(), Some("reports"));
    }
}

/// A node with the server's clock and one with its own share a collection. Both servers have `$set` and `$lte`.
#[tokio::test]
async fn nodes_with_either_clock_exclude_each_other() {
    let place = server_or_skip!(Place::new(Deciding::Server).await);
    let one = place.node();
    let url = place.url();
    let two = MongoLockProvider::builder_from_url(&url)
        .client_clock()
        .build()
        .expect("valid");
    for (holder, other) in [(&one, &two), (&two, &one)] {
        let lock = try_lock(holder, config("1m")).await.expect("is free");
        assert!(try_lock(other, config("1m")).await.is_none());
        let token = lock.fencing_token();
        lock.unlock().await.expect("the server answers");
        let lock = try_lock(other, config("1m")).await.expect("was released");
        assert!(lock.fencing_token() > token);
        lock.unlock().await.expect("the server answers");
    }
}
