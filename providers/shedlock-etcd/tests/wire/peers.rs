//! One node of ours and one on the JVM, one after the other.

use std::time::{Duration, Instant};

use shedlock_runtime::{ErrorKind, LockConfiguration, LockProviderExt as _, Ownership, SkipReason};
use shedlock_testkit::server_or_skip;

use super::place::{Jvm, Place};

#[tokio::test]
async fn each_skips_what_the_other_holds() {
    let place = server_or_skip!(Place::new().await);
    let lock = place.held("n1", "30s").await;
    assert!(Jvm::lock(&place.client, "n1", 30).await.is_none());
    assert_eq!(lock.unlock().await.expect("etcd answers"), Ownership::Ours);

    let jvm = Jvm::lock(&place.client, "n1", 30)
        .await
        .expect("it is free");
    let config = LockConfiguration::new("n1", "30s").expect("a legal configuration");
    let refusal = place.node.lock(config).await.expect("etcd answers");
    let refusal = refusal.expect_err("it is held");
    assert_eq!(refusal.reason, SkipReason::Held);
    assert_eq!(refusal.node.as_deref(), Some("app.example"));
    assert!(jvm.has_the_key().await);
    jvm.unlock().await.expect("the lease is there");
    assert!(place.lock("n1", "30s").await.is_some());
}

#[tokio::test]
async fn each_respects_the_others_at_least() {
    let place = server_or_skip!(Place::new().await);
    let kept = Duration::from_secs(3);
    let config = LockConfiguration::new("n1", "30s").and_then(|it| it.with_at_least(kept));
    let began = Instant::now();
    let lock = place
        .node
        .try_lock(config.expect("legal"))
        .await
        .expect("etcd answers");
    lock.expect("it is free")
        .unlock()
        .await
        .expect("etcd answers");
    let (jvm, granted) = place.jvm_when_free("n1", 30).await;
    assert!(granted - began >= kept, "{:?}", granted - began);

    let began = Instant::now();
    jvm.unlock_within_at_least(3)
        .await
        .expect("its lease is there");
    let (_lock, granted) = place.held_when_free("n1", "30s").await;
    assert!(granted - began >= kept, "{:?}", granted - began);
}

#[tokio::test]
async fn each_takes_over_what_the_other_let_run_out() {
    let place = server_or_skip!(Place::new().await);
    let began = Instant::now();
    let jvm = Jvm::lock(&place.client, "n1", 2).await.expect("it is free");
    let (ours, granted) = place.held_when_free("n1", "2s").await;
    assert!(granted - began >= Duration::from_secs(2));
    // Its late unlock fails, and touches nothing of ours.
    let before = place.found("n1").await;
    let refused = jvm.unlock().await.expect_err("its lease has ended");
    assert!(refused.contains("requested lease not found"), "{refused}");
    assert_eq!(place.found("n1").await, before);

    let (next, _) = place.jvm_when_free("n1", 30).await;
    assert_eq!(ours.unlock().await.expect("etcd answers"), Ownership::Lost);
    assert!(
        next.has_the_key().await,
        "a late release of ours touches nobody's lock"
    );
}

/// What only a JVM node does, and what we make of it.
#[tokio::test]
async fn a_late_unlock_within_at_least_is_found_out() {
    let place = server_or_skip!(Place::new().await);
    let jvm = Jvm::lock(&place.client, "n1", 2).await.expect("it is free");
    let (mut lock, _) = place.held_when_free("n1", "30s").await;
    // It puts its own value over ours, and fails only behind that.
    jvm.unlock_within_at_least(30)
        .await
        .expect_err("its lease has ended");
    assert!(jvm.has_the_key().await);
    let lost = lock.extend("30s", "0s").await.expect_err("it is captured");
    assert_eq!(lost.kind(), ErrorKind::Lost);
    assert_eq!(lock.unlock().await.expect("etcd answers"), Ownership::Lost);
    assert!(jvm.has_the_key().await, "what it holds now is left to it");
    assert_eq!(place.server.leases().await.len(), 1, "and no lease of ours");
}
