//! What stands beside a lock: the position of its runs, and a holder that has not released it.

use std::time::Duration;

use shedlock_runtime::{LockAdmin as _, LockProvider as _, LockProviderExt as _, SkipReason};
use shedlock_testkit::requests::{self, request, taken};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Etcd;

use super::{HOLDER, config, node, value};

/// Positions stay until an operator forgets them, and not while their lock is held.
#[tokio::test]
async fn positions_are_pruned() {
    let server = server_or_skip!(Etcd::start().await);
    let node = node(&server.url());
    let step = |step| config().with_step(step).expect("a legal step");
    let first = node
        .try_lock(step(1))
        .await
        .expect("etcd answers")
        .expect("it is due");
    let prune = async |unused_for| {
        let unused_for = Duration::from_secs(unused_for);
        node.prune(unused_for).await.expect("etcd answers")
    };
    assert_eq!(prune(0).await, 0, "its lock is held");
    first.complete().await.expect("etcd answers");
    let again = node
        .lock(step(1))
        .await
        .expect("etcd answers")
        .expect_err("it was done");
    assert_eq!(again.reason, SkipReason::AlreadyRan);
    assert!(again.node.is_some(), "which node ran it: {again:?}");
    assert_eq!(prune(3600).await, 0, "it is in use");
    assert_eq!(
        node.prune_prefix("b", Duration::ZERO)
            .await
            .expect("etcd answers"),
        0
    );
    assert_eq!(prune(0).await, 1);
    assert_eq!(server.execute(&["get", "", "--prefix"]).await, "");
    assert!(
        node.try_lock(step(1))
            .await
            .expect("etcd answers")
            .is_some()
    );
}

/// The holder's key costs nothing but its bytes, and is gone with an orderly end.
#[tokio::test]
async fn a_holder_that_never_released_is_remembered_until_it_is_told_or_pruned() {
    let server = server_or_skip!(Etcd::start().await);
    let node = node(&server.url());
    let lock = taken(&node, "a").await;
    assert_ne!(value(&server, HOLDER).await, "");
    lock.unlock().await.expect("etcd answers");
    assert_eq!(value(&server, HOLDER).await, "");

    let die = async || {
        let lease = requests::take(&node, "a").await;
        for lease in server.leases().await {
            server.execute(&["lease", "revoke", &lease]).await;
        }
        lease
    };
    let dead = die().await;
    let heir = requests::take(&node, "a").await;
    let told = heir.predecessor().expect("nobody released the lock");
    assert_eq!(told.fencing_token, dead.fencing_token());
    assert_eq!(
        node.prune(Duration::ZERO).await.expect("etcd answers"),
        0,
        "it is held"
    );
    // The dead holder's late release is not the heir's.
    node.release(&dead, Duration::ZERO)
        .await
        .expect("etcd answers");
    assert_ne!(value(&server, HOLDER).await, "");
    node.release(&heir, Duration::ZERO)
        .await
        .expect("etcd answers");
    assert_eq!(value(&server, HOLDER).await, "");

    let _dead = die().await;
    let hour = Duration::from_secs(3600);
    assert_eq!(
        node.prune(hour).await.expect("etcd answers"),
        0,
        "it is young"
    );
    assert_eq!(node.prune(Duration::ZERO).await.expect("etcd answers"), 1);
    assert_eq!(server.execute(&["get", "", "--prefix"]).await, "");
    let next = node
        .acquire(&request(&node, config()))
        .await
        .expect("etcd answers");
    assert_eq!(next.granted().expect("it is free").predecessor(), None);
}
