//! What one side does with the locks of the other.

use std::time::Duration;

use shedlock_runtime::{ErrorKind, LockConfiguration, LockProviderExt as _, Ownership, SkipReason};
use shedlock_testkit::server_or_skip;

use super::{Jvm, Place, shape};

#[tokio::test]
async fn each_skips_what_the_other_holds() {
    let place = server_or_skip!(Place::new().await);
    let lock = place.held("n1", "30s").await;
    let (jvm, granted) = Jvm::lock(&place, "n1", "30000").await;
    assert!(!granted);
    assert!(!jvm.extend_safely("1").await && !jvm.unlock_safely().await);
    assert_eq!(
        lock.unlock().await.expect("the server answers"),
        Ownership::Ours
    );

    let (jvm, granted) = Jvm::lock(&place, "n1", "30000").await;
    assert!(granted);
    let config = LockConfiguration::new("n1", "30s").expect("a legal configuration");
    let refusal = place
        .node
        .lock(config)
        .await
        .expect("the server answers")
        .expect_err("it is held");
    assert_eq!(refusal.reason, SkipReason::Held);
    // The JVM's owner is the host with a random part of its own.
    assert!(
        refusal
            .node
            .as_deref()
            .is_some_and(|node| node.starts_with("app.example:")),
        "{refusal:?}"
    );
    assert!(
        refusal
            .remaining
            .is_some_and(|left| left > Duration::from_secs(25)),
        "{refusal:?}"
    );
    assert!(jvm.is_held().await);
    assert!(jvm.unlock_safely().await);
    assert!(place.lock("n1", "30s").await.is_some());
}

#[tokio::test]
async fn each_takes_over_what_the_other_let_run_out() {
    let place = server_or_skip!(Place::new().await);
    let (jvm, _) = Jvm::lock(&place, "n1", "300").await;
    let ours = loop {
        match place.lock("n1", "2s").await {
            Some(lock) => break lock,
            None => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    assert!(!jvm.extend_safely("30000").await && !jvm.unlock_safely().await);
    let next = loop {
        match Jvm::lock(&place, "n1", "30000").await {
            (next, true) => break next,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    assert_eq!(
        ours.unlock().await.expect("the server answers"),
        Ownership::Lost
    );
    assert!(
        next.is_held().await,
        "a late release of ours touches nobody's lock"
    );
}

/// JVM nodes see a lock with a position as any other lock, and leave the position as it is. Nor do their runs count.
#[tokio::test]
async fn a_position_is_of_our_nodes_alone() {
    let place = server_or_skip!(Place::new().await);
    let config = LockConfiguration::new("n1", "30s").expect("a legal configuration");
    let step = |number| config.clone().with_step(number).expect("a legal step");
    let refused = async |config| {
        let answer = place.node.lock(config).await.expect("the server answers");
        answer.expect_err("it must not run").reason
    };
    let lock = place.node.try_lock(step(1)).await;
    let lock = lock.expect("the server answers").expect("it is free");
    let value = place.ask(&["GET", "job-lock:default:n1"]).await;
    let secret = "x".repeat(32);
    assert_eq!(
        shape(&value),
        format!("ADDED:0000-00-00T00:00:00.000Z@web-2#{secret}")
    );
    assert!(!Jvm::lock(&place, "n1", "30000").await.1);
    assert_eq!(
        lock.complete().await.expect("the server answers"),
        Ownership::Ours
    );
    for safe in [true, false] {
        let (jvm, granted) = Jvm::lock(&place, "n1", "30000").await;
        assert!(granted);
        assert_eq!(refused(step(2)).await, SkipReason::Held);
        if safe {
            assert!(jvm.extend_safely("30000").await && jvm.unlock_safely().await);
        } else {
            assert!(jvm.extend("30000").await && jvm.unlock().await);
        }
    }
    assert_eq!(refused(step(1)).await, SkipReason::AlreadyRan);
    // What the JVM node ran is not known: step 2 may be its, and is run here.
    let lock = place.node.try_lock(step(2)).await;
    assert!(lock.expect("the server answers").is_some());
}

/// What only nodes with `safeUpdate` off can do, and what we make of it.
#[tokio::test]
async fn a_late_peer_without_safe_update_is_found_out() {
    let place = server_or_skip!(Place::new().await);
    let late = |name: &'static str| {
        let place = &place;
        async move {
            let (jvm, granted) = Jvm::lock(place, name, "1").await;
            assert!(granted);
            tokio::time::sleep(Duration::from_millis(20)).await;
            (jvm, place.held(name, "30s").await)
        }
    };
    // It deletes our lock: a third node may take it, and ours is told so when it asks.
    let (jvm, mut lock) = late("deleted").await;
    assert!(jvm.unlock().await);
    let lost = lock.extend("30s", "0s").await.expect_err("it is deleted");
    assert_eq!(lost.kind(), ErrorKind::Lost);
    assert_eq!(
        place.ask(&["EXISTS", &jvm.key]).await,
        "0",
        "an extension brings nothing back"
    );
    // It captures our lock: others go on skipping, and ours is told so.
    let (jvm, lock) = late("captured").await;
    assert!(jvm.extend("30000").await);
    assert_eq!(
        lock.unlock().await.expect("the server answers"),
        Ownership::Lost
    );
    assert!(jvm.is_held().await, "what it holds now is left to it");
}

/// A lock that was released is kept for its `at_least`, and is free when that is over.
#[tokio::test]
async fn each_honours_the_at_least_of_the_other() {
    let place = server_or_skip!(Place::new().await);
    for safe in [true, false] {
        let (jvm, granted) = Jvm::lock(&place, "theirs", "30000").await;
        assert!(granted);
        let kept = if safe {
            jvm.extend_safely("3000").await
        } else {
            jvm.extend("3000").await
        };
        assert!(kept, "its unlock within `at_least`");
        assert!(place.lock("theirs", "30s").await.is_none());
        let next = loop {
            if let Some(next) = place.lock("theirs", "30s").await {
                break next;
            }
        };
        assert!(!jvm.is_held().await, "its `at_least` is over");
        assert!(!jvm.unlock_safely().await);
        assert_eq!(next.unlock().await.expect("is answered"), Ownership::Ours);
    }
    let config = LockConfiguration::new("ours", "30s").and_then(|it| it.with_at_least("3s"));
    let lock = place.node.try_lock(config.expect("legal")).await;
    let lock = lock.expect("the server answers").expect("it is free");
    assert_eq!(lock.unlock().await.expect("is answered"), Ownership::Ours);
    assert!(!Jvm::lock(&place, "ours", "30000").await.1);
    while !Jvm::lock(&place, "ours", "30000").await.1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
