//! Rust nodes and JVM nodes share locks in ZooKeeper: the published ShedLock beside our provider on one server.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use shedlock_runtime::{
    ErrorKind, Lock, LockConfiguration, LockProvider, LockProviderExt as _, Ownership, SkipReason,
};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{Unavailable, ZooKeeper};
use shedlock_tests::fuzz::mixed_contenders_never_overlap;
use shedlock_tests::jvm::{JavaClock, JavaNode, JavaPeer, NodeOptions};
use shedlock_zookeeper::ZooKeeperLockProvider;
use tokio::time::sleep;

/// Where cargo lets tests write.
const TARGET: &str = env!("CARGO_TARGET_TMPDIR");
const LONG: Duration = Duration::from_mins(10);
const SHORT: Duration = Duration::from_millis(600);
const NONE: Duration = Duration::ZERO;
const ACQUISITIONS: usize = 2000;

/// A node of each kind on one server.
struct Fleet {
    java: JavaNode,
    rust: Arc<dyn LockProvider>,
    /// The last, because the nodes end before their server.
    _server: ZooKeeper,
}

impl Fleet {
    async fn start() -> Result<Self, Unavailable> {
        let server = ZooKeeper::start().await?;
        let peer = JavaPeer::build(Path::new(TARGET)).await?;
        let options = NodeOptions {
            url: server.url(),
            table: String::new(),
            clock: JavaClock::ForcedUtc,
            zone: "Asia/Tokyo".to_owned(),
        };
        let rust = ZooKeeperLockProvider::builder_from_url(&server.url()).node_name("web-2");
        Ok(Self {
            java: peer.start(&options).await,
            rust: Arc::new(rust.build().unwrap()),
            _server: server,
        })
    }

    async fn rust_lock(&self, name: &str, at_most: Duration, at_least: Duration) -> Option<Lock> {
        let config = LockConfiguration::new(name, at_most).unwrap();
        let config = config.with_at_least(at_least).unwrap();
        self.rust.try_lock(config).await.unwrap()
    }
}

async fn each_side_skips_while_the_other_holds(fleet: &Fleet, name: &str) {
    let java = &fleet.java;
    assert!(java.lock("1", name, LONG, NONE).await);
    assert!(fleet.rust_lock(name, LONG, NONE).await.is_none());
    java.unlock("1").await;
    let mut lock = fleet.rust_lock(name, LONG, NONE).await.unwrap();
    assert!(!java.lock("2", name, LONG, NONE).await);
    lock.extend(LONG * 2, NONE).await.unwrap();
    assert!(!java.lock("2", name, LONG, NONE).await);
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
    assert!(java.lock("2", name, LONG, NONE).await);
}

async fn each_side_honours_the_at_least_of_the_other(fleet: &Fleet) {
    let java = &fleet.java;
    assert!(java.lock("3", "least-jvm", LONG, LONG).await);
    java.unlock("3").await;
    assert!(fleet.rust_lock("least-jvm", LONG, NONE).await.is_none());
    let lock = fleet.rust_lock("least-rust", LONG, LONG).await.unwrap();
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
    assert!(!java.lock("4", "least-rust", LONG, NONE).await);
}

async fn each_side_takes_over_after_expiry(fleet: &Fleet) {
    let (name, java) = ("expiry", &fleet.java);
    assert!(java.lock("5", name, SHORT, NONE).await);
    sleep(SHORT + Duration::from_millis(50)).await;
    let lock = fleet.rust_lock(name, SHORT, NONE).await.unwrap();
    sleep(SHORT + Duration::from_millis(50)).await;
    assert!(java.lock("6", name, LONG, NONE).await);
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Lost);
    assert!(fleet.rust_lock(name, LONG, NONE).await.is_none());
}

/// JVM nodes see a lock with a position as any other, and leave the position as it is.
async fn a_jvm_run_leaves_the_position(fleet: &Fleet) {
    let (name, java) = ("chain", &fleet.java);
    let step = |number| {
        LockConfiguration::new(name, LONG)
            .unwrap()
            .with_step(number)
            .unwrap()
    };
    let first = fleet.rust.try_lock(step(1)).await.unwrap().unwrap();
    assert!(!java.lock("7", name, LONG, NONE).await);
    assert_eq!(first.complete().await.unwrap(), Ownership::Ours);
    assert!(java.lock("7", name, LONG, NONE).await);
    java.unlock("7").await;
    let again = fleet.rust.lock(step(1)).await.unwrap().unwrap_err();
    assert_eq!(again.reason, SkipReason::AlreadyRan);
    assert!(fleet.rust.try_lock(step(2)).await.unwrap().is_some());
}

/// ShedLock releases without a condition, as the README of `shedlock-zookeeper` says.
async fn a_late_jvm_release_frees_the_lock_and_the_holder_is_told(fleet: &Fleet) {
    let (name, java) = ("late", &fleet.java);
    assert!(java.lock("8", name, SHORT, NONE).await);
    sleep(SHORT + Duration::from_millis(50)).await;
    let mut lock = fleet.rust_lock(name, LONG, NONE).await.unwrap();
    java.unlock("8").await;
    let lost = lock.extend(LONG, NONE).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Lost);
}

/// The parent of a lock that a JVM node has made is held for ever to JVM nodes. One that we have made is not.
async fn the_parent_of_our_lock_is_free_to_jvm_nodes(fleet: &Fleet) {
    let child = fleet.rust_lock("ours/child", LONG, NONE).await.unwrap();
    assert!(fleet.java.lock("9", "ours", LONG, NONE).await);
    assert!(fleet.rust_lock("ours", LONG, NONE).await.is_none());
    assert!(fleet.java.lock("10", "theirs/child", LONG, NONE).await);
    assert!(!fleet.java.lock("11", "theirs", LONG, NONE).await);
    let parent = fleet.rust_lock("theirs", LONG, NONE).await.unwrap();
    parent.unlock().await.unwrap();
    assert!(fleet.java.lock("11", "theirs", LONG, NONE).await);
    assert_eq!(child.unlock().await.unwrap(), Ownership::Ours);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rust_and_jvm_nodes_share_locks() {
    let fleet = server_or_skip!(Fleet::start().await);
    for name in ["skips", "ski/ps", "skips:100%"] {
        each_side_skips_while_the_other_holds(&fleet, name).await;
    }
    each_side_honours_the_at_least_of_the_other(&fleet).await;
    each_side_takes_over_after_expiry(&fleet).await;
    a_jvm_run_leaves_the_position(&fleet).await;
    a_late_jvm_release_frees_the_lock_and_the_holder_is_told(&fleet).await;
    the_parent_of_our_lock_is_free_to_jvm_nodes(&fleet).await;
    mixed_contenders_never_overlap(&fleet.java, &fleet.rust, ACQUISITIONS).await;
}
