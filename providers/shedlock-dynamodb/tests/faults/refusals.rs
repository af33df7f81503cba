//! What happens to items, tables and requests that are not as a lock needs them.

use std::time::{Duration, SystemTime};

use shedlock_dynamodb::DynamoDbLockProvider;
use shedlock_dynamodb::aws_sdk_dynamodb::types::AttributeValue;
use shedlock_runtime::{
    ErrorKind, Expiry, Fencing, LockAdmin as _, LockProvider as _, LockProviderExt as _,
};
use shedlock_testkit::requests::{is_free, problem, taken};
use shedlock_testkit::server_or_skip;

use super::place::{Place, Which, builder_for, item, number, text};
use super::{JOB, config};

each_server! {
    alone:
    what_others_keep_under_our_names_is_left_alone
    an_item_that_becomes_foreign_under_a_held_lock_is_left_alone
    a_table_is_made_once_and_its_absence_is_told
}

async fn what_others_keep_under_our_names_is_left_alone(place: Place) {
    let node = place.node();
    let ended = || text("2026-01-01T00:00:00.000Z");
    let soon = SystemTime::now() + Duration::from_mins(1);
    for foreign in [
        item([("_id", text(JOB)), ("precious", AttributeValue::Bool(true))]),
        item([
            ("_id", text(JOB)),
            ("lockUntil", number(1)),
            ("lockedBy", text("app")),
        ]),
        item([("_id", text(JOB)), ("lockUntil", text("tomorrow"))]),
        // A lease without an end.
        item([
            ("_id", text(JOB)),
            ("lockUntil", AttributeValue::Null(true)),
        ]),
        item([
            ("_id", text(JOB)),
            ("lockedAt", ended()),
            ("lockedBy", text("app")),
        ]),
    ] {
        place.put(foreign.clone()).await;
        let error = problem(&node, JOB).await;
        assert_eq!(error.kind(), ErrorKind::Schema, "{foreign:?}: {error:?}");
        let listed = node.list().await.expect("the server answers");
        assert!(
            matches!(&listed[..], [one] if one.name == JOB && one.problem.is_some()),
            "{foreign:?}: {listed:?}"
        );
        let forced = node.force_release(JOB, "").await;
        let forced = forced.expect_err("it is no lock");
        assert_eq!(forced.kind(), ErrorKind::Schema, "{forced:?}");
        assert!(node.pause(JOB, soon, "").await.is_err(), "{foreign:?}");
        assert_eq!(node.prune(Duration::ZERO).await.expect("an answer"), 0);
        assert_eq!(place.get(JOB).await, Some(foreign));
        place.delete(JOB).await;
    }
}

async fn an_item_that_becomes_foreign_under_a_held_lock_is_left_alone(place: Place) {
    let node = place.node();
    let lock = taken(&node, JOB).await;
    let foreign = item([("_id", text(JOB)), ("precious", AttributeValue::Bool(true))]);
    place.put(foreign.clone()).await;
    // Whatever it says, it is no "released".
    let _either = lock.unlock().await;
    assert_eq!(place.get(JOB).await, Some(foreign));
}

async fn a_table_is_made_once_and_its_absence_is_told(place: Place) {
    let table = format!("{}-late", place.table);
    let builder = || place.builder().table(&table);
    let node = builder().build().expect("valid");
    let error = problem(&node, JOB).await;
    assert_eq!(error.kind(), ErrorKind::Schema, "{error:?}");
    assert!(error.remedy().expect("has one").contains("ensure_schema"));
    let error = node.check_schema().await.expect_err("there is none");
    assert!(error.to_string().contains(&table), "{error}");
    let error = builder().connect().await.expect_err("there is none");
    assert_eq!(error.kind(), ErrorKind::Schema, "{error:?}");
    // Two nodes that start at once.
    let other = builder().build().expect("valid");
    let (one, two) = tokio::join!(node.ensure_schema(), other.ensure_schema());
    one.expect("made by one");
    two.expect("or by the other");
    node.ensure_schema().await.expect("stays");
    assert!(is_free(&node, JOB).await, "without a restart");
    assert!(is_free(&builder().connect().await.expect("is there"), JOB).await);
}

#[tokio::test]
async fn urls_and_options_are_refused_at_once_and_servers_when_they_are_needed() {
    let place = server_or_skip!(Place::new(Which::Dynalite).await);
    let endpoint = place.server.endpoint();
    let connected = place.builder_at(&endpoint).connect().await;
    let node = connected.expect("the server is there");
    assert!(is_free(&node, JOB).await);
    let capabilities = node.info().capabilities();
    assert_eq!(capabilities.expiry(), Expiry::ByClientClock);
    assert_eq!(capabilities.fencing(), Fencing::Always);

    let nowhere = || builder_for("http://127.0.0.1:1", "locks");
    let error = nowhere().connect().await.expect_err("nobody is there");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    let later = nowhere().build().expect("no server is needed yet");
    let error = later.try_lock(config()).await.expect_err("nobody is there");
    for shown in [
        format!("{error:?} {error}"),
        format!("{later:?} {:?}", nowhere()),
    ] {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    for builder in [
        DynamoDbLockProvider::builder_from_url("dynamodb://eu-central-1:80/locks"),
        place.builder().table("a"),
        place.builder().lock_until_attribute("lockedBy"),
        place.builder().sort_key("_id"),
        place
            .builder()
            .with_ttl("lockUntil", Duration::from_secs(1_000_000)),
    ] {
        let error = builder.build().expect_err("cannot be");
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error:?}");
    }
    // As long as a key may be, and a byte longer.
    let long = "x".repeat(1024 - "_SortKey".len());
    let sorted = place.builder().sort_key("sk").build().expect("valid");
    let most = sorted.info().capabilities().max_name_bytes();
    assert_eq!(most, long.len());
}
