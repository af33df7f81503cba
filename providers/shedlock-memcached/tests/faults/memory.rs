//! What the server loses, and what it does without memory.

use shedlock_runtime::{ErrorKind, LockProviderExt as _, Ownership};
use shedlock_testkit::requests::{config, extended, problem, refused, taken};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Memcached;

use super::{KEY, fill, is_free, item, node};

/// About as long as the value of a lock, so that both are in memory of one kind: the server keeps items of each size apart.
const LIKE_A_LOCK: usize = 70;
/// As long as any value of a lock can be with the names of these nodes.
const LIKE_ANY_LOCK: std::ops::Range<usize> = 40..200;

#[tokio::test]
async fn eviction_takes_a_lock_away_and_is_warned_of() {
    let server = server_or_skip!(Memcached::start_with(&["-m", "2"]).await);
    let node = node(&server.url());
    let mut lock = taken(&node, "a").await;
    assert!(!fill(&server, LIKE_A_LOCK, 60_000).await, "it evicts");
    assert_eq!(
        item(&server, KEY).await,
        "EN",
        "the server has evicted the lock"
    );
    assert_eq!(extended(&mut lock).await, Ownership::Lost);
    assert!(is_free(&node).await);
    let report = node.check_store().await.expect("the server answers");
    assert!(report.version().starts_with("Memcached 1."), "{report:?}");
    assert_eq!(report.warnings().len(), 3, "{report:?}");

    let safer = server_or_skip!(Memcached::start_with(&["-M", "-F"]).await);
    let report = self::node(&safer.url()).check_store().await;
    let report = report.expect("the server answers");
    assert!(
        matches!(report.warnings(), [one] if one.contains("restart")),
        "{report:?}"
    );
}

/// The command `ms` of a full server deletes what is under its key, also if its condition does not hold. The provider's commands do not.
#[tokio::test]
async fn a_full_server_takes_no_lock_and_loses_none() {
    let server = server_or_skip!(Memcached::start_with(&["-m", "2", "-M"]).await);
    let node = node(&server.url());
    let mut lock = taken(&node, "a").await;
    for size in LIKE_ANY_LOCK.step_by(8) {
        assert!(fill(&server, size, 200_000).await, "it is full");
    }
    let before = item(&server, KEY).await;
    for name in ["a", "b"] {
        let full = node.try_lock(config(name)).await.expect_err("it is full");
        assert_eq!(full.kind(), ErrorKind::Unavailable, "{full:?}");
        assert!(full.to_string().contains("raise `-m`"), "{full}");
    }
    let full = lock.extend("10m", "0s").await.expect_err("it is full");
    assert_eq!(full.kind(), ErrorKind::Unavailable, "{full:?}");
    assert_eq!(item(&server, KEY).await, before);
    // The limit that the README tells: the record of an `at_least` needs memory, the end of a lock needs none.
    let released = lock.unlock().await;
    assert_eq!(released.expect("it needs no memory"), Ownership::Ours);
    assert_eq!(item(&server, KEY).await, "EN");
}

#[tokio::test]
async fn flush_all_frees_all_locks_and_the_holder_is_told() {
    let server = server_or_skip!(Memcached::start().await);
    let (one, two) = (node(&server.url()), node(&server.url()));
    let mut lock = taken(&one, "a").await;
    assert_eq!(server.execute("flush_all\r\n").await, "OK\r\n");
    let next = taken(&two, "a").await;
    assert!(next.fencing_token() > lock.fencing_token());
    assert_eq!(extended(&mut lock).await, Ownership::Lost);
    drop(lock);
    refused(&one, "a").await;
}

#[tokio::test]
async fn a_server_whose_settings_do_not_fit_is_refused_before_anything_is_written() {
    let server = server_or_skip!(Memcached::start_with(&["-C"]).await);
    let refused = problem(&node(&server.url()), "a").await;
    assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused:?}");
    assert!(refused.to_string().contains("without `-C`"), "{refused}");
    assert_eq!(server.execute(&format!("get {KEY}\r\n")).await, "END\r\n");
}
