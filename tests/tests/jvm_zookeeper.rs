//! Rust nodes and JVM nodes share locks in ZooKeeper: the published ShedLock beside our provider on one server.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]

use std::path::Path;

use shedlock_runtime::Ownership;
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{Unavailable, ZooKeeper};
use shedlock_tests::pair::{LONG, NONE, Pair};
use shedlock_zookeeper::ZooKeeperLockProvider;

/// Where cargo lets tests write.
const TARGET: &str = env!("CARGO_TARGET_TMPDIR");

/// A node of each kind on one server.
struct Fleet {
    pair: Pair,
    /// The last, because the nodes end before their server.
    _server: ZooKeeper,
}

impl Fleet {
    async fn start() -> Result<Self, Unavailable> {
        let server = ZooKeeper::start().await?;
        let rust = ZooKeeperLockProvider::builder_from_url(&server.url()).node_name("web-2");
        let rust = rust.build().unwrap();
        Ok(Self {
            pair: Pair::start(Path::new(TARGET), server.url(), "", rust).await?,
            _server: server,
        })
    }
}

/// The parent of a lock that a JVM node has made is held for ever to JVM nodes. One that we have made is not.
async fn the_parent_of_our_lock_is_free_to_jvm_nodes(pair: &Pair) {
    let child = pair.rust_lock("ours/child", LONG, NONE).await.unwrap();
    assert!(pair.java.lock("10", "ours", LONG, NONE).await);
    assert!(pair.rust_lock("ours", LONG, NONE).await.is_none());
    assert!(pair.java.lock("11", "theirs/child", LONG, NONE).await);
    assert!(!pair.java.lock("12", "theirs", LONG, NONE).await);
    let parent = pair.rust_lock("theirs", LONG, NONE).await.unwrap();
    parent.unlock().await.unwrap();
    assert!(pair.java.lock("12", "theirs", LONG, NONE).await);
    assert_eq!(child.unlock().await.unwrap(), Ownership::Ours);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rust_and_jvm_nodes_share_locks() {
    let Fleet { pair, _server } = &server_or_skip!(Fleet::start().await);
    for name in ["skips", "ski/ps", "skips:100%"] {
        pair.each_side_skips_while_the_other_holds(name).await;
    }
    pair.each_side_honours_the_at_least_of_the_other().await;
    pair.each_side_takes_over_after_expiry().await;
    pair.a_jvm_run_leaves_the_position().await;
    pair.a_late_jvm_release_frees_the_lock_and_the_holder_is_told()
        .await;
    the_parent_of_our_lock_is_free_to_jvm_nodes(pair).await;
    pair.mixed_contenders_never_overlap().await;
}
