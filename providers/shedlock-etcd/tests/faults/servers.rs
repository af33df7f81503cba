//! What happens when servers are killed, stand still, or lose their leader.

use std::time::{Duration, Instant};

use shedlock_runtime::{ErrorKind, LockConfiguration, LockProviderExt as _, Ownership};
use shedlock_testkit::requests::{
    TEST_TIMEOUT, extended, is_free, problem, taken, until_answered, until_free,
};
use shedlock_testkit::servers::{Etcd, EtcdCluster};
use shedlock_testkit::{Proxy, server_or_skip};

use super::{config, must_have_no_leases, node};

#[tokio::test]
async fn a_killed_server_keeps_locks() {
    let server = server_or_skip!(Etcd::start().await);
    let (one, two) = (node(&server.url()), node(&server.url()));
    let mut lock = taken(&one, "a").await;
    let token = lock.fencing_token();
    server.kill().await.expect("the server runs");
    let away = problem(&two, "a").await;
    assert_eq!(away.kind(), ErrorKind::Unavailable, "{away:?}");
    server.restart().await.expect("the server comes back");
    assert!(!is_free(&two, "a").await);
    assert_eq!(extended(&mut lock).await, Ownership::Ours);
    assert_eq!(lock.unlock().await.expect("etcd answers"), Ownership::Ours);
    assert!(taken(&two, "a").await.fencing_token() > token);
}

#[tokio::test]
async fn a_server_that_stands_still_is_a_timeout_and_what_it_granted_is_given_back() {
    let server = server_or_skip!(Etcd::start().await);
    let node = node(&server.url());
    assert!(is_free(&node, "a").await);
    server.pause().await.expect("the server runs");
    let began = Instant::now();
    let limit = Duration::from_secs(2);
    let config = config().with_timeout(limit).expect("a legal limit");
    let still = node.try_lock(config).await;
    let still = still.expect_err("nobody answers");
    assert!(still.kind().is_ambiguous(), "{still:?}");
    assert!(
        began.elapsed() < limit + Duration::from_millis(500),
        "{:?}",
        began.elapsed()
    );
    server.resume().await.expect("the server is there");
    until_free(&node, "a").await;
    must_have_no_leases(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_goes_on_without_its_leader() {
    let cluster = server_or_skip!(EtcdCluster::start().await);
    let (one, two) = (node(&cluster.url()), node(&cluster.url()));
    let mut lock = until_answered(&one, config()).await.expect("it is free");
    let token = lock.fencing_token();
    for _ in 0..2 {
        let leader = cluster.leader().await;
        leader.kill().await.expect("the server runs");
        let began = Instant::now();
        assert!(until_answered(&two, config()).await.is_none(), "it is held");
        let limit = Instant::now() + TEST_TIMEOUT;
        while let Err(error) = lock.extend("10m", "0s").await {
            assert!(error.is_transient() && Instant::now() < limit, "{error:?}");
        }
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{:?}",
            began.elapsed()
        );
        // The old leader comes back, and learns what it has missed.
        leader.restart().await.expect("it comes back");
        let old = node(&leader.url());
        assert!(until_answered(&old, config()).await.is_none(), "it is held");
    }
    assert_eq!(
        lock.unlock().await.expect("two of three are enough"),
        Ownership::Ours
    );
    let next = until_answered(&two, config())
        .await
        .expect("it was released");
    assert!(next.fencing_token() > token);
}

/// One member that stands still, and one that is dead: each call goes on to the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_of_no_use_is_passed_over() {
    let cluster = server_or_skip!(EtcdCluster::start().await);
    let one = node(&cluster.url());
    let lock = until_answered(&one, config()).await.expect("it is free");
    lock.unlock().await.expect("etcd answers");
    let leader = cluster.leader().await.port();
    let follower = cluster
        .servers()
        .iter()
        .find(|server| server.port() != leader);
    let follower = follower.expect("two of three");
    // The follower is asked first by this one.
    let others = cluster
        .servers()
        .iter()
        .filter(|server| server.port() != follower.port());
    let proxy = Proxy::start(follower.address())
        .await
        .expect("a port can be had");
    let mut urls = vec![proxy.url(&follower.url())];
    urls.extend(others.map(Etcd::url));
    follower.pause().await.expect("the server runs");
    let last_first = node(&urls.join(","));
    let lock = taken(&last_first, "a").await;
    // The member that answered is asked first from now on.
    let asked = proxy.counters();
    assert!(asked.client_messages > 0, "it was asked first");
    lock.unlock().await.expect("etcd answers");
    let now = proxy.counters();
    assert_eq!(
        (now.connections, now.client_messages),
        (asked.connections, asked.client_messages),
        "it was asked again"
    );
    follower.kill().await.expect("signals can be sent");
    proxy.refuse_connections().await;
    // A busy machine may take its time now and then, but not always.
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let fresh = node(&urls.join(","));
        let began = Instant::now();
        assert!(is_free(&fresh, "a").await);
        fastest = fastest.min(began.elapsed());
    }
    assert!(fastest < Duration::from_secs(1), "{fastest:?}");
}

/// A new leader gives each lease its whole time again: a dead holder's lock ends later, and never early.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_leader_ends_no_lease_early() {
    let at_most = Duration::from_secs(4);
    let cluster = server_or_skip!(EtcdCluster::start().await);
    let (one, two) = (node(&cluster.url()), node(&cluster.url()));
    let config = LockConfiguration::new("a", at_most).expect("a legal configuration");
    let first = until_answered(&one, config.clone())
        .await
        .expect("it is free");
    first.unlock().await.expect("etcd answers");
    let asked = Instant::now();
    let mut lock = until_answered(&one, config).await.expect("it is free");
    lock.release_on_drop(false);
    drop(lock);
    tokio::time::sleep(at_most / 2).await;
    cluster
        .leader()
        .await
        .kill()
        .await
        .expect("the server runs");
    let killed = Instant::now();
    let next = loop {
        if let Some(next) = until_answered(&two, self::config()).await {
            break next;
        }
        assert!(killed.elapsed() < TEST_TIMEOUT, "the lease never ends");
    };
    assert!(asked.elapsed() >= at_most, "{:?}", asked.elapsed());
    // The election, the whole lease, and a look at the leases twice a second.
    let bound = at_most + Duration::from_secs(6);
    assert!(killed.elapsed() < bound, "{:?}", killed.elapsed());
    next.unlock().await.expect("etcd answers");
}
