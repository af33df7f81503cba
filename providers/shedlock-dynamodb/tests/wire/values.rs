//! The attributes of an item, in each layout of a table.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_dynamodb::aws_sdk_dynamodb::types::AttributeValue;
use shedlock_runtime::{
    AcquireRequest, Acquisition, LockAdmin as _, LockProvider as _, LockProviderExt as _,
    Ownership, SkipReason, format_timestamp, parse_timestamp,
};

use super::place::{Item, Place, Server, item, number, string_in, text};
use super::{HOST, JOB, config, try_lock};

each_server! {
    new:
    an_item_has_the_attributes_of_jvm_nodes_and_a_token
    tokens_grow_by_one_and_over_a_deletion
    an_operator_gives_no_token_to_an_item_without_one
    a_position_is_begun_tried_again_and_done
    a_table_with_a_sort_key_is_made_and_used_as_jvm_nodes_do
    items_are_deleted_by_an_attribute_if_they_may_be
    an_item_with_a_position_is_deleted_by_no_attribute
}

const HOUR: Duration = Duration::from_hours(1);

fn names(item: &Item) -> BTreeSet<&str> {
    item.keys().map(String::as_str).collect()
}

async fn an_item_has_the_attributes_of_jvm_nodes_and_a_token(place: Place) {
    let node = place.builder().node_name("web-ü 1").build();
    let node = node.expect("valid");
    let before = SystemTime::now() - Duration::from_millis(1);
    let lock = try_lock(&node, config("1m")).await.expect("is free");
    let found = place.get(JOB).await.expect("an item");
    let expected = ["_id", "fencingToken", "lockUntil", "lockedAt", "lockedBy"];
    assert_eq!(names(&found), BTreeSet::from(expected));
    let times = ["lockUntil", "lockedAt"].map(|it| string_in(&found, it));
    for time in &times {
        assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
    }
    let [until, at] = times.map(|time| parse_timestamp(&time).expect("a time"));
    let lasts = until.duration_since(at).expect("is later");
    assert!(lasts >= Duration::from_mins(1) && lasts < Duration::from_millis(60_002));
    assert!(at >= before - Duration::from_millis(1) && at <= SystemTime::now());
    let owner = string_in(&found, "lockedBy");
    assert!(owner.starts_with("web-ü 1#"), "{owner}");
    let token = lock.fencing_token().expect("a token");
    assert_eq!(found["fencingToken"], number(token));

    lock.unlock().await.expect("the server answers");
    let freed = place.get(JOB).await.expect("free items stay");
    let end = parse_timestamp(&string_in(&freed, "lockUntil")).expect("a time");
    assert!(end <= SystemTime::now());
    assert!(string_in(&freed, "lockedBy").starts_with(&owner));
    assert_eq!(names(&freed), BTreeSet::from(expected));
}

async fn tokens_grow_by_one_and_over_a_deletion(place: Place) {
    let node = place.node();
    let token = async || {
        let lock = try_lock(&node, config("1m")).await.expect("is free");
        let token = lock.fencing_token().expect("a token");
        lock.unlock().await.expect("the server answers");
        token
    };
    let first = token().await;
    assert_eq!(token().await, first + 1);
    place.delete(JOB).await;
    assert!(token().await > first + 1);
}

/// A lock that a JVM node has written anew has no token. Whatever an operator does to it, a resource that has seen tokens takes the next one.
async fn an_operator_gives_no_token_to_an_item_without_one(place: Place) {
    let node = place.node();
    let now = || SystemTime::now().duration_since(UNIX_EPOCH);
    for is_paused in [false, true] {
        let at = SystemTime::now();
        let until = at + Duration::from_mins(10);
        let by_a_jvm_node = item([
            ("_id", text(JOB)),
            ("lockUntil", text(&format_timestamp(until))),
            ("lockedAt", text(&format_timestamp(at))),
            ("lockedBy", text(HOST)),
        ]);
        place.put(by_a_jvm_node).await;
        if is_paused {
            node.pause(JOB, until, "").await.expect("can be paused");
            assert!(node.resume(JOB).await.expect("the server answers"));
        } else {
            let released = node.force_release(JOB, "it hangs").await;
            assert!(released.expect("the server answers"));
        }
        let found = place.get(JOB).await.expect("an item");
        assert_eq!(found.get("fencingToken"), None);
        let before = now().expect("after 1970").as_micros();
        let lock = try_lock(&node, config("1m")).await.expect("is free");
        let token = lock.fencing_token().expect("a token");
        assert!(u128::from(token) >= before, "{token} at {before}");
        lock.unlock().await.expect("the server answers");
    }
}

/// A position is in attributes of its own, and a run that is tried again is counted.
async fn a_position_is_begun_tried_again_and_done(place: Place) {
    let node = place.node();
    let step = |number| {
        let config = config("1m").with_step(number).expect("a legal step");
        config.with_attempts(2).expect("a legal number")
    };
    let position = async || {
        let found = place.get(JOB).await.expect("an item");
        ["position", "positionDone", "positionTries"].map(|it| found.get(it).cloned())
    };
    let refused = async |number| {
        let answer = node.lock(step(number)).await.expect("the server answers");
        answer.expect_err("it must not run").reason
    };
    let done = |is_done| Some(AttributeValue::Bool(is_done));
    assert_eq!(refused(2).await, SkipReason::Gap);
    assert!(place.get(JOB).await.is_none(), "a refusal writes nothing");
    let lock = try_lock(&node, step(1)).await.expect("is due");
    lock.unlock().await.expect("the server answers");
    assert_eq!(
        position().await,
        [Some(number(1)), done(false), Some(number(1))]
    );
    assert_eq!(refused(2).await, SkipReason::Gap);
    let lock = try_lock(&node, step(1)).await.expect("once more");
    assert_eq!(
        position().await,
        [Some(number(1)), done(false), Some(number(2))]
    );
    lock.complete().await.expect("the server answers");
    assert_eq!(
        position().await,
        [Some(number(1)), done(true), Some(number(2))]
    );
    assert_eq!(refused(1).await, SkipReason::AlreadyRan);
    for _ in 0..2 {
        let lock = try_lock(&node, step(2)).await.expect("is due");
        lock.unlock().await.expect("the server answers");
    }
    assert_eq!(refused(2).await, SkipReason::Exhausted);
    // Without a position the lock is a lock like any other, and the position stays.
    let lock = try_lock(&node, config("1m")).await.expect("is free");
    lock.unlock().await.expect("the server answers");
    assert_eq!(refused(2).await, SkipReason::Exhausted);
}

async fn a_table_with_a_sort_key_is_made_and_used_as_jvm_nodes_do(place: Place) {
    let table = format!("{}-sorted", place.table);
    let builder = || place.builder().table(&table);
    let node = builder().sort_key("sk").build().expect("valid");
    node.ensure_schema().await.expect("can be created");
    node.check_schema().await.expect("is as it should be");
    let lock = try_lock(&node, config("1m")).await.expect("is free");
    let all = place.client.scan().table_name(&table).send().await;
    let all = all.expect("the server answers").items.expect("has items");
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["sk"], text("nightly_report_SortKey"));
    // What another program keeps in the same partition is none of ours.
    let other = super::place::item([("_id", text(JOB)), ("sk", text("invoice"))]);
    let put = place.client.put_item().table_name(&table);
    put.set_item(Some(other)).send().await.expect("an answer");
    assert!(try_lock(&node, config("1m")).await.is_none());
    let listed = node.list().await.expect("the server answers");
    assert_eq!(listed.len(), 1, "{listed:?}");
    lock.unlock().await.expect("the server answers");

    let without = builder().build().expect("valid");
    let error = without.check_schema().await.expect_err("has another key");
    assert!(error.to_string().contains("_id"), "{error}");
    let error = without
        .try_lock(config("1m"))
        .await
        .expect_err("has another key");
    assert_eq!(
        error.kind(),
        shedlock_runtime::ErrorKind::Schema,
        "{error:?}"
    );
}

async fn items_are_deleted_by_an_attribute_if_they_may_be(place: Place) {
    let week = Duration::from_hours(7 * 24);
    let node = place.builder().with_ttl("deleteAfter", week).build();
    let node = node.expect("valid");
    // Dynalite deletes nothing.
    if matches!(place.server, Server::Dynoxide(_)) {
        let error = node.check_schema().await.expect_err("deletes nothing");
        assert!(error.to_string().contains("deleteAfter"), "{error}");
        node.ensure_schema().await.expect("can be changed");
        node.ensure_schema().await.expect("stays");
        node.check_schema().await.expect("is as it should be");
        let other = place.builder().with_ttl("other", week).build();
        let error = other.expect("valid").ensure_schema().await;
        let error = error.expect_err("deletes by another attribute");
        assert_eq!(error.kind(), shedlock_runtime::ErrorKind::Schema);
    }
    let deleted_after = async || {
        let found = place.get(JOB).await.expect("an item");
        let end = parse_timestamp(&string_in(&found, "lockUntil")).expect("a time");
        let after = found.get("deleteAfter")?.as_n().expect("a number");
        let after = UNIX_EPOCH + Duration::from_secs(after.parse().expect("whole seconds"));
        Some(after.duration_since(end).expect("is later"))
    };
    let is_a_week = |after: Option<Duration>| {
        after.is_some_and(|it| it >= week && it < week + Duration::from_secs(2))
    };
    let mut lock = try_lock(&node, config("1m")).await.expect("is free");
    assert!(is_a_week(deleted_after().await));
    lock.extend("1h", "0s").await.expect("is held");
    assert!(is_a_week(deleted_after().await), "moves with the end");
    lock.unlock().await.expect("the server answers");
    assert!(is_a_week(deleted_after().await));
    let soon = SystemTime::now() + Duration::from_hours(1);
    node.pause(JOB, soon, "").await.expect("can be paused");
    assert!(is_a_week(deleted_after().await), "a pause is not deleted");
    node.resume(JOB).await.expect("can be resumed");
    // A position would be deleted with the item.
    let slot = config("1m").with_once_per("1h").expect("legal");
    let lock = try_lock(&node, slot).await.expect("is due");
    assert_eq!(deleted_after().await, None);
    lock.complete().await.expect("the server answers");
    assert_eq!(deleted_after().await, None);
    let short = place
        .builder()
        .with_ttl("deleteAfter", Duration::from_mins(1));
    assert!(short.build().is_err());
}

/// A position is lost with its item, so no write gives the item the attribute, whether its writer has asked for the position or not.
async fn an_item_with_a_position_is_deleted_by_no_attribute(place: Place) {
    let node = place.builder().with_ttl("deleteAfter", 7 * 24 * HOUR);
    let node = node.build().expect("valid");
    let stays = async || {
        let found = place.get(JOB).await.expect("an item");
        found.contains_key("position") && !found.contains_key("deleteAfter")
    };
    let step = |number| config("1m").with_step(number).expect("a legal step");
    let lock = try_lock(&node, step(1)).await.expect("is due");
    lock.complete().await.expect("the server answers");

    // The answer to an acquisition was lost: who gives the lock back knows its request alone.
    let request = AcquireRequest::new(step(2), node.info().clock().boot());
    let taken = node.acquire(&request).await.expect("the server answers");
    assert!(matches!(taken, Acquisition::Granted(_)), "{taken:?}");
    let orphan = request.grant(None);
    let released = node.release(&orphan, Duration::ZERO).await;
    assert_eq!(released.expect("the server answers"), Ownership::Ours);
    assert!(stays().await, "after a lost answer");

    let mut lock = try_lock(&node, config("1m")).await.expect("is free");
    assert!(
        stays().await,
        "while a run has it that asks for no position"
    );
    lock.extend("2m", "0s").await.expect("is held");
    assert!(stays().await, "after its extension");
    lock.unlock().await.expect("the server answers");
    assert!(stays().await, "after its release");

    // Another process that has the lock's token.
    let mut lock = try_lock(&node, step(2)).await.expect("is due");
    lock.release_on_drop(false);
    let stored = string_in(&place.get(JOB).await.expect("an item"), "lockedBy");
    let now = node.info().clock().boot();
    let resumed = AcquireRequest::resumed(config("1m"), now, &stored);
    let resumed = resumed.expect("an owner").grant(None);
    let extended = node.extend(&resumed, Duration::from_mins(2)).await;
    assert_eq!(extended.expect("the server answers"), Ownership::Ours);
    assert!(stays().await, "after its extension");
    let released = node.release(&resumed, Duration::ZERO).await;
    assert_eq!(released.expect("the server answers"), Ownership::Ours);
    assert!(stays().await, "after its release");

    let soon = SystemTime::now() + HOUR;
    node.pause(JOB, soon, "").await.expect("can be paused");
    assert!(stays().await, "while it is paused");
    node.resume(JOB).await.expect("can be resumed");
    assert!(stays().await, "after a pause");
    let refusal = node.lock(step(1)).await.expect("the server answers");
    let refusal = refusal.expect_err("was done");
    assert_eq!(refusal.reason, SkipReason::AlreadyRan);
}
