//! What happens when the bucket is missing, full, or made with options that do not fit.

use std::time::Duration;

use serde_json::{Value, json};
use shedlock_runtime::ErrorKind;
use shedlock_testkit::requests::{problem, taken};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Nats;

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
    let error = check(json!({ "discard": "old", "max_msgs": 9 }))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(error.to_string().contains("drops the oldest"), "{error}");
}
