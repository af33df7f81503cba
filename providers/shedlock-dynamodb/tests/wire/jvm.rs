//! A node on the JVM and a node of ours, in turn. The requests are those that the provider of ShedLock for Java sends.

use std::time::{Duration, SystemTime};

use shedlock_dynamodb::aws_sdk_dynamodb::types::ReturnValue;
use shedlock_runtime::{
    ErrorKind, LockAdmin as _, LockProviderExt as _, SkipReason, format_timestamp,
};
use shedlock_testkit::requests::jvm_now;
use tokio::time::sleep;

use super::place::{Place, item, string_in, text};
use super::{HOST, JOB, config, try_lock};

each_server! {
    new:
    a_jvm_peer_skips_while_rust_holds_and_takes_over_afterwards
    rust_skips_while_a_jvm_peer_holds_and_takes_over_afterwards
    both_honour_the_others_at_least
    a_late_jvm_release_frees_the_lock_and_the_holder_is_told
    what_a_late_jvm_release_leaves_is_a_free_lock
    a_jvm_takeover_leaves_the_position
}

/// A node on the JVM. All of them on one host have one name.
pub(crate) struct Jvm {
    place: Place,
    locked_at: SystemTime,
    at_least: Duration,
}

impl Jvm {
    pub(crate) async fn try_lock(
        place: &Place,
        at_most: Duration,
        at_least: Duration,
    ) -> Option<Self> {
        let now = jvm_now();
        let sent = place
            .client
            .update_item()
            .table_name(&place.table)
            .key("_id", text(JOB))
            .return_values(ReturnValue::UpdatedNew)
            .update_expression(
                "set lockUntil = :lockUntil, lockedAt = :lockedAt, lockedBy = :lockedBy",
            )
            .condition_expression("lockUntil <= :lockedAt or attribute_not_exists(lockUntil)")
            .expression_attribute_values(":lockedBy", text(HOST))
            .expression_attribute_values(":lockedAt", text(&format_timestamp(now)))
            .expression_attribute_values(":lockUntil", text(&format_timestamp(now + at_most)))
            .send()
            .await;
        match sent {
            Ok(_) => Some(Self {
                place: place.clone(),
                locked_at: now,
                at_least,
            }),
            Err(error) => {
                let error = error.into_service_error();
                assert!(error.is_conditional_check_failed_exception(), "{error:?}");
                None
            }
        }
    }

    /// On no condition.
    pub(crate) async fn unlock(self) {
        let end = (self.locked_at + self.at_least).max(jvm_now());
        let update = self.place.client.update_item();
        let sent = update
            .table_name(&self.place.table)
            .key("_id", text(JOB))
            .update_expression("set lockUntil = :lockUntil")
            .expression_attribute_values(":lockUntil", text(&format_timestamp(end)));
        sent.send().await.expect("the server answers");
    }
}

const MINUTE: Duration = Duration::from_mins(1);

async fn jvm(place: &Place, at_most: Duration) -> Jvm {
    let jvm = Jvm::try_lock(place, at_most, Duration::ZERO).await;
    jvm.expect("the lock is free")
}

async fn jvm_is_refused(place: &Place) -> bool {
    Jvm::try_lock(place, MINUTE, Duration::ZERO).await.is_none()
}

async fn a_jvm_peer_skips_while_rust_holds_and_takes_over_afterwards(place: Place) {
    let node = place.node();
    let lock = try_lock(&node, config("1m")).await.expect("is free");
    assert!(jvm_is_refused(&place).await);
    lock.unlock().await.expect("the server answers");
    let peer = jvm(&place, MINUTE).await;
    assert!(try_lock(&node, config("1m")).await.is_none());
    peer.unlock().await;

    // A lease that ended without a release.
    let lock = try_lock(&node, config("2s")).await.expect("is free");
    sleep(Duration::from_millis(2_100)).await;
    let _peer = jvm(&place, MINUTE).await;
    let before = place.get(JOB).await;
    drop(lock.unlock().await);
    assert_eq!(place.get(JOB).await, before, "the lease is the peer's");
    assert!(try_lock(&node, config("1m")).await.is_none());
}

async fn rust_skips_while_a_jvm_peer_holds_and_takes_over_afterwards(place: Place) {
    let node = place.node();
    let peer = jvm(&place, MINUTE).await;
    let refusal = node.lock(config("1m")).await.expect("the server answers");
    let refusal = refusal.expect_err("the peer holds the lock");
    assert_eq!(refusal.node.as_deref(), Some(HOST));
    let left = refusal.remaining.expect("the item tells");
    assert!(left > Duration::from_secs(30));
    let held = node.get(JOB).await.expect("the server answers");
    let held = held.expect("a record");
    assert!(held.is_held() && held.node == HOST && held.problem.is_none());
    peer.unlock().await;
    let lock = try_lock(&node, config("1m")).await.expect("was released");
    let token = lock.fencing_token();
    lock.unlock().await.expect("the server answers");

    // A lease that ended without a release.
    let _peer = jvm(&place, Duration::from_millis(300)).await;
    let found = place.get(JOB).await.expect("an item");
    assert_eq!(string_in(&found, "lockedBy"), HOST);
    assert!(found.contains_key("fencingToken"), "a JVM node leaves it");
    sleep(Duration::from_millis(400)).await;
    let lock = try_lock(&node, config("1m")).await.expect("has ended");
    assert_eq!(lock.fencing_token(), token.map(|it| it + 1));
}

async fn both_honour_the_others_at_least(place: Place) {
    let node = place.node();
    let kept = Duration::from_secs(4);
    let peer = Jvm::try_lock(&place, MINUTE, kept).await.expect("is free");
    peer.unlock().await;
    assert!(try_lock(&node, config("1m")).await.is_none());
    sleep(Duration::from_millis(4_100)).await;

    let kept = config("1m").with_at_least("4s").expect("legal");
    let lock = try_lock(&node, kept).await.expect("at least has ended");
    lock.unlock().await.expect("the server answers");
    assert!(jvm_is_refused(&place).await);
    sleep(Duration::from_millis(4_100)).await;
    assert!(!jvm_is_refused(&place).await);
}

/// The limit that the README tells: a JVM node releases on no condition.
async fn a_late_jvm_release_frees_the_lock_and_the_holder_is_told(place: Place) {
    let node = place.node();
    let peer = jvm(&place, Duration::from_millis(300)).await;
    sleep(Duration::from_millis(400)).await;
    let mut lock = try_lock(&node, config("10s")).await.expect("has ended");
    peer.unlock().await;
    // What has ended at this very millisecond has ended at the next.
    sleep(Duration::from_millis(5)).await;
    let error = lock.extend("1m", "0s").await.expect_err("the lock is free");
    assert_eq!(error.kind(), ErrorKind::Lost, "{error:?}");
    assert!(try_lock(&node, config("1m")).await.is_some());
}

/// A JVM node that releases a lock whose item was deleted makes one with an end alone.
async fn what_a_late_jvm_release_leaves_is_a_free_lock(place: Place) {
    let node = place.node();
    let peer = jvm(&place, MINUTE).await;
    place.delete(JOB).await;
    peer.unlock().await;
    let found = place.get(JOB).await.expect("an item");
    assert_eq!(found.len(), 2, "{found:?}");
    sleep(Duration::from_millis(5)).await;
    let free = node.get(JOB).await.expect("an answer").expect("a record");
    assert!(!free.is_held() && free.problem.is_none(), "{free:?}");
    assert!(try_lock(&node, config("1m")).await.is_some());
    // An operator's word finds it, too.
    let end = text(&format_timestamp(SystemTime::now() + MINUTE));
    place
        .put(item([("_id", text(JOB)), ("lockUntil", end)]))
        .await;
    assert!(node.force_release(JOB, "").await.expect("an answer"));
}

/// What a JVM node's run does to our attributes: it leaves them. So a step that a JVM node ran is run again by a Rust node.
async fn a_jvm_takeover_leaves_the_position(place: Place) {
    let node = place.node();
    let step = |number| config("1m").with_step(number).expect("legal");
    let lock = try_lock(&node, step(1)).await.expect("is due");
    lock.complete().await.expect("the server answers");
    jvm(&place, MINUTE).await.unlock().await;
    sleep(Duration::from_millis(5)).await;
    let refusal = node.lock(step(1)).await.expect("the server answers");
    let refusal = refusal.expect_err("was done");
    assert_eq!(refusal.reason, SkipReason::AlreadyRan);
    assert!(try_lock(&node, step(2)).await.is_some());
}
