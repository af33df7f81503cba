//! What one side does with the locks of the other.

use std::time::Duration;

use shedlock_runtime::{
    ErrorKind, LockAdmin as _, LockConfiguration, LockProviderExt as _, Ownership, SkipReason,
};
use shedlock_testkit::requests::{in_time, refused};
use shedlock_testkit::server_or_skip;

use super::{Jvm, Place};

const MINUTE: Duration = Duration::from_secs(60);
const NONE: Duration = Duration::ZERO;

#[tokio::test]
async fn each_skips_what_the_other_holds() {
    let place = server_or_skip!(Place::new().await);
    let lock = place.held("n1", "30s").await;
    assert!(Jvm::lock(&place.server, "n1", MINUTE).await.is_none());
    assert_eq!(lock.unlock().await.expect("answers"), Ownership::Ours);

    let jvm = Jvm::lock(&place.server, "n1", MINUTE).await;
    let jvm = jvm.expect("was released");
    let refusal = refused(&place.node, "n1").await;
    assert_eq!(refusal.reason, SkipReason::Held);
    assert_eq!(refusal.node.as_deref(), Some("app.example"));
    let left = refusal.remaining.expect("the server tells");
    assert!((50..=60).contains(&left.as_secs()), "{left:?}");
    let info = place.node.get("n1").await.expect("the server answers");
    assert!(info.is_some_and(|info| info.is_held() && info.since.is_some()));
    assert!(jvm.unlock(NONE).await);
    assert!(place.lock("n1", "30s").await.is_some());
}

#[tokio::test]
async fn each_takes_over_what_the_other_let_run_out() {
    let place = server_or_skip!(Place::new().await);
    let three = Duration::from_secs(3);
    let dead = Jvm::lock(&place.server, "n1", three).await;
    assert!(dead.is_some());
    let ours = in_time(async {
        loop {
            match place.lock("n1", "2s").await {
                Some(lock) => break lock,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    });
    let ours = ours.await;
    let next = in_time(async {
        loop {
            match Jvm::lock(&place.server, "n1", MINUTE).await {
                Some(next) => break next,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    });
    let next = next.await;
    // A late release of ours touches nobody's lock.
    assert_eq!(ours.unlock().await.expect("answers"), Ownership::Lost);
    assert!(next.unlock(NONE).await, "it is the JVM's still");
}

#[tokio::test]
async fn each_honours_the_at_least_of_the_other() {
    let place = server_or_skip!(Place::new().await);
    let jvm = Jvm::lock(&place.server, "theirs", MINUTE).await;
    assert!(jvm.expect("is free").unlock(MINUTE / 2).await);
    assert!(place.lock("theirs", "30s").await.is_none());

    let config = LockConfiguration::new("ours", "1m").and_then(|it| it.with_at_least("30s"));
    let lock = place.node.try_lock(config.expect("legal")).await;
    let lock = lock.expect("the server answers").expect("is free");
    assert_eq!(lock.unlock().await.expect("answers"), Ownership::Ours);
    assert!(Jvm::lock(&place.server, "ours", MINUTE).await.is_none());
}

/// The limit that the README tells: a JVM node deletes and replaces without a condition. A holder of ours is told.
#[tokio::test]
async fn a_late_jvm_unlock_frees_or_captures_our_lock_and_the_holder_is_told() {
    let place = server_or_skip!(Place::new().await);
    for at_least in [NONE, MINUTE] {
        let late = Jvm::lock(&place.server, "n1", MINUTE).await;
        let late = late.expect("is free");
        // Its lease has ended.
        place.server.execute("delete shedlock:default:n1\r\n").await;
        let mut lock = place.held("n1", "30s").await;
        assert!(late.unlock(at_least).await);
        let lost = lock.extend("30s", "0s").await.expect_err("is not ours");
        assert_eq!(lost.kind(), ErrorKind::Lost);
        let found = place.item("n1").await;
        assert_eq!(found.is_some(), at_least > NONE, "nothing is restored");
        assert!(found.is_none_or(|(value, _)| value.ends_with("@app.example")));
    }
}

/// A JVM node whose lock is for less than a second stores it for ever. That is told as an error by each of our nodes, until an operator frees it.
#[tokio::test]
async fn a_jvm_lock_without_an_end_is_told_and_can_be_freed() {
    let place = server_or_skip!(Place::new().await);
    let half = Duration::from_millis(500);
    let jvm = Jvm::lock(&place.server, "n1", half).await;
    assert!(jvm.is_some());
    assert_eq!(place.item("n1").await.map(|(_, ttl)| ttl), Some(-1));
    let config = LockConfiguration::new("n1", "30s").expect("legal");
    let endless = place.node.try_lock(config).await.expect_err("has no end");
    assert_eq!(endless.kind(), ErrorKind::Schema, "{endless:?}");
    assert!(endless.to_string().contains("lockAtMostFor"), "{endless}");
    let freed = place.node.force_release("n1", "it has no end").await;
    assert!(freed.expect("the server answers"));
    assert!(place.lock("n1", "30s").await.is_some());
}

/// What an operator of ours pauses, JVM nodes skip.
#[tokio::test]
async fn a_pause_is_honoured_by_jvm_nodes() {
    let place = server_or_skip!(Place::new().await);
    let until = std::time::SystemTime::now() + MINUTE;
    let paused = place.node.pause("n1", until, "the mail server moves").await;
    paused.expect("the server answers");
    assert!(Jvm::lock(&place.server, "n1", MINUTE).await.is_none());
    assert_eq!(refused(&place.node, "n1").await.reason, SkipReason::Paused);
    assert!(place.node.resume("n1").await.expect("answers"));
    assert!(Jvm::lock(&place.server, "n1", MINUTE).await.is_some());
}
