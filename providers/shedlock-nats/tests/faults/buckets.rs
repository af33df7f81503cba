//! What happens when the bucket is missing, full, or made with options that do not fit.

use std::time::Duration;

use serde_json::{Value, json};
use shedlock_runtime::{ErrorKind, LockAdmin as _};
use shedlock_testkit::requests::{problem, taken};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Nats;
use tokio::time::sleep;

use super::place::Place;

#[tokio::test]
async fn a_bucket_that_is_deleted_under_a_held_lock_is_told() {
    let place = Place::new(server_or_skip!(Nats::shared().await)).await;
    let provider = place.provider();
    let mut lock = taken(&provider, "mail").await;
    place.remove().await;
    let error = lock.extend("20m", Duration::ZERO).await.unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
    assert_eq!(problem(&provider, "mail").await.kind(), ErrorKind::Schema);
    provider.ensure_bucket().await.expect("can be made");
    drop(taken(&provider, "mail").await);
}

#[tokio::test]
async fn a_full_bucket_is_an_error_and_no_refusal() {
    let place = Place::without_bucket(server_or_skip!(Nats::shared().await)).await;
    place.make_with(json!({ "max_msgs": 1 })).await;
    let provider = place.provider();
    let lock = taken(&provider, "first").await;
    let error = problem(&provider, "mail").await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("there is no room"), "{error}");
    // What is there can still be released.
    lock.unlock().await.expect("the same entry");
}

/// There is a name for each claim of a text: what a deletion left behind would fill the bucket for good.
#[tokio::test]
async fn a_deletion_leaves_nothing_behind_and_makes_room() {
    let place = Place::without_bucket(server_or_skip!(Nats::shared().await)).await;
    place.make_with(json!({ "max_msgs": 3 })).await;
    let provider = place.provider();
    for round in 0..2 {
        for claim in ["a", "b", "c"] {
            let lock = taken(&provider, &format!("mail@={claim}{round}")).await;
            lock.unlock().await.expect("NATS answers");
        }
        let error = problem(&provider, "mail").await;
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        sleep(Duration::from_millis(5)).await;
        let pruned = provider.prune(Duration::ZERO).await;
        assert_eq!(pruned.expect("needs no room"), 3);
        let info = place.api("STREAM.INFO", &json!({})).await;
        assert_eq!(info["state"]["messages"], 0, "{info}");
    }
    let lock = taken(&provider, "mail").await;
    lock.unlock().await.expect("NATS answers");
}

/// What a deletion that arrives late relies on: it removes what was seen, and nothing that was written since.
#[tokio::test]
async fn a_late_deletion_spares_what_was_written_since() {
    let place = Place::new(server_or_skip!(Nats::shared().await)).await;
    let provider = place.provider();
    taken(&provider, "mail").await.unlock().await.expect("ours");
    let seen = place.get("mail").await.expect("free records stay");
    let _held = taken(&provider, "mail").await;
    let entry = place.get("mail").await;
    let subject = format!("$KV.{}.mail", place.bucket);
    let purge = json!({ "filter": subject, "seq": seen.sequence + 1 });
    let answer = place.api("STREAM.PURGE", &purge).await;
    assert_eq!(answer["purged"], 0, "{answer}");
    assert_eq!(place.get("mail").await, entry);
}

#[tokio::test]
async fn more_replicas_than_servers_are_told() {
    let place = Place::without_bucket(server_or_skip!(Nats::shared().await)).await;
    let provider = place.builder().replicas(3).build().expect("valid");
    let made = provider.ensure_bucket().await;
    let error = made.expect_err("there is one server");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("fewer servers"), "{error}");
}

#[tokio::test]
async fn a_bucket_for_small_values_is_told() {
    let place = Place::without_bucket(server_or_skip!(Nats::shared().await)).await;
    place.make_with(json!({ "max_msg_size": 16 })).await;
    let error = problem(&place.provider(), "mail").await;
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(error.to_string().contains("no values as large"), "{error}");
}

#[tokio::test]
async fn a_bucket_is_looked_at() {
    let server = server_or_skip!(Nats::shared().await);
    let check = async |options: Value| {
        let place = Place::without_bucket(server).await;
        place.make_with(options).await;
        place.provider().check_bucket().await
    };
    let warnings = async |options| check(options).await.expect("no problem").to_string();
    assert_eq!(warnings(json!({})).await.lines().count(), 1);
    assert!(warnings(json!({})).await.contains("one replica"));
    assert!(
        warnings(json!({ "storage": "memory" }))
            .await
            .contains("in memory")
    );
    let minute = Duration::from_secs(60).as_nanos();
    let forgets = warnings(json!({ "max_age": minute, "duplicate_window": minute })).await;
    assert!(forgets.contains("forgets records after 60s"), "{forgets}");
    let grows = warnings(json!({ "deny_purge": true })).await;
    assert!(grows.contains("denies purges"), "{grows}");
    let error = check(json!({ "discard": "old", "max_msgs": 9 }))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(error.to_string().contains("drops the oldest"), "{error}");
}
