//! The items of nodes that end leases by observation, and such nodes beside those that compare times of day. The clocks agree here.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use shedlock_dynamodb::DynamoDbLockProvider;
use shedlock_runtime::{LockAdmin as _, Ownership, parse_timestamp};
use shedlock_testkit::requests::extended;
use tokio::time::sleep;

use super::jvm::Jvm;
use super::place::{Place, number, string_in};
use super::{HOST, JOB, config, try_lock};

each_server! {
    new:
    an_item_tells_how_long_its_lease_is
    a_jvm_peer_is_watched_for_as_long_as_its_lease
    what_a_jvm_peer_released_is_watched_for_as_long_as_it_was_held
    a_late_jvm_release_frees_nothing
    nodes_that_compare_clocks_and_those_that_do_not_honour_each_other
}

const LEASE: Duration = Duration::from_secs(2);

fn observer(place: &Place) -> DynamoDbLockProvider {
    let built = place.builder().expiry_by_observation().build();
    built.expect("the options are valid")
}

async fn jvm(place: &Place, at_most: Duration) -> Jvm {
    let jvm = Jvm::try_lock(place, at_most, Duration::ZERO).await;
    jvm.expect("the lock is free")
}

async fn jvm_is_refused(place: &Place) -> bool {
    let jvm = Jvm::try_lock(place, LEASE, Duration::ZERO).await;
    jvm.is_none()
}

/// Asserts that the lock is granted once it was seen for `length`, and not before.
async fn assert_watched(node: &DynamoDbLockProvider, length: Duration) {
    let asked = Instant::now();
    assert!(try_lock(node, config("1m")).await.is_none());
    let lock = loop {
        if let Some(lock) = try_lock(node, config("1m")).await {
            break lock;
        }
        assert!(asked.elapsed() < length + Duration::from_secs(20));
        sleep(Duration::from_millis(20)).await;
    };
    let waited = asked.elapsed();
    assert!(waited >= length, "taken over after {waited:?}");
    lock.unlock().await.expect("the server answers");
}

/// What JVM nodes write is there as well, for them and for people.
async fn an_item_tells_how_long_its_lease_is(place: Place) {
    let node = observer(&place);
    let told = async || {
        let found = place.get(JOB).await.expect("an item");
        let names: BTreeSet<_> = found.keys().map(String::as_str).collect();
        let written = [
            "_id",
            "fencingToken",
            "leaseMillis",
            "leaseOf",
            "lockUntil",
            "lockedAt",
            "lockedBy",
        ];
        assert_eq!(names, BTreeSet::from(written));
        assert_eq!(found["leaseOf"], found["lockedBy"]);
        let times = ["lockUntil", "lockedAt"].map(|it| string_in(&found, it));
        let [until, at] = times.map(|time| parse_timestamp(&time).expect("a time"));
        (
            found["leaseMillis"].clone(),
            until.duration_since(at).expect("is later"),
        )
    };
    let minute = Duration::from_mins(1);
    let kept = config("1m").with_at_least("30s").expect("legal");
    let mut lock = try_lock(&node, kept).await.expect("is free");
    let (lease, dated) = told().await;
    assert_eq!(lease, number(60_000));
    assert!(dated >= minute && dated < minute + Duration::from_millis(2));
    lock.extend("5m", "0s").await.expect("is live");
    assert_eq!(told().await.0, number(300_000));
    lock.unlock().await.expect("the server answers");
    let (tail, _) = told().await;
    let tail: u64 = tail.as_n().expect("a number").parse().expect("millis");
    assert!(tail > 0 && tail <= 30_000, "{tail}");
    assert!(node.force_release(JOB, "").await.expect("an answer"));
    assert_eq!(told().await.0, number(0));
    let lock = try_lock(&node, config("1m")).await.expect("is free");
    lock.unlock().await.expect("the server answers");
    assert_eq!(told().await.0, number(0), "is free at once");
}

/// A JVM node leaves our attributes as they are, also "released": they are of another write.
async fn a_jvm_peer_is_watched_for_as_long_as_its_lease(place: Place) {
    let node = observer(&place);
    let lock = try_lock(&node, config("1m")).await.expect("is free");
    assert!(jvm_is_refused(&place).await);
    lock.unlock().await.expect("the server answers");
    sleep(Duration::from_millis(5)).await;
    let _dead = jvm(&place, LEASE).await;
    let found = place.get(JOB).await.expect("an item");
    assert_eq!(found["leaseMillis"], number(0), "a JVM node leaves it");
    assert_eq!(string_in(&found, "lockedBy"), HOST);
    assert_watched(&node, LEASE).await;
}

async fn what_a_jvm_peer_released_is_watched_for_as_long_as_it_was_held(place: Place) {
    let node = observer(&place);
    let peer = jvm(&place, Duration::from_mins(10)).await;
    sleep(LEASE).await;
    peer.unlock().await;
    assert_watched(&node, LEASE).await;
}

/// Times of day say nothing to those who observe: the lock that the peer "frees" stays that of its holder.
async fn a_late_jvm_release_frees_nothing(place: Place) {
    let (node, other) = (observer(&place), observer(&place));
    let peer = jvm(&place, Duration::from_millis(300)).await;
    assert_watched(&node, Duration::from_millis(300)).await;
    let mut lock = try_lock(&node, config("1m")).await.expect("is free");
    peer.unlock().await;
    sleep(Duration::from_millis(5)).await;
    assert!(try_lock(&other, config("1m")).await.is_none());
    assert_eq!(extended(&mut lock).await, Ownership::Ours);
    assert!(jvm_is_refused(&place).await, "the extension dates it anew");
    lock.unlock().await.expect("the server answers");
}

async fn nodes_that_compare_clocks_and_those_that_do_not_honour_each_other(place: Place) {
    let (observer, by_clock) = (observer(&place), place.node());
    let lock = try_lock(&observer, config("1m")).await.expect("is free");
    assert!(try_lock(&by_clock, config("1m")).await.is_none());
    lock.unlock().await.expect("the server answers");
    sleep(Duration::from_millis(5)).await;

    let mut lock = try_lock(&by_clock, config("2s")).await.expect("is free");
    assert!(try_lock(&observer, config("1m")).await.is_none());
    lock.extend(LEASE, Duration::ZERO).await.expect("is live");
    lock.release_on_drop(false);
    drop(lock);
    assert_watched(&observer, LEASE).await;
    assert!(try_lock(&by_clock, config("1m")).await.is_some());
}
