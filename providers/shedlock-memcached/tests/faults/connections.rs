//! What happens when the network loses connections and replies, and what the calls cost.

use std::time::Duration;

use shedlock_memcached::MemcachedLockProvider;
use shedlock_runtime::{LockConfiguration, LockProvider as _, LockProviderExt as _, Ownership};
use shedlock_testkit::proxy::Trigger;
use shedlock_testkit::requests::{config, in_time, refused, request, take};
use shedlock_testkit::servers::Memcached;
use shedlock_testkit::{Proxy, network, server_or_skip};

use super::{KEY, is_free, item, must_become_free, node};

/// A node that reaches the server through the proxy.
async fn behind_proxy(server: &Memcached) -> (Proxy, MemcachedLockProvider) {
    let proxy = Proxy::start(server.address()).await;
    let proxy = proxy.expect("a port can be had");
    let node = node(&proxy.url(&server.url()));
    (proxy, node)
}

/// What each command that writes names.
fn write() -> Trigger {
    Trigger::containing(KEY)
}

#[tokio::test]
async fn a_lost_connection_is_replaced_within_the_call() {
    let server = server_or_skip!(Memcached::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    network::must_replace_lost_connections(&proxy, &node, "a").await;
}

#[tokio::test]
async fn a_lost_reply_is_made_up_for() {
    let server = server_or_skip!(Memcached::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    network::must_ask_again(&proxy, &node, "a", &write()).await;
    assert_eq!(item(&server, KEY).await, "EN");
}

/// The limit that the README tells: the server keeps nothing of a lock that was released, so it does not know the first of two requests when
/// that arrives last.
#[tokio::test]
async fn a_late_acquisition_takes_a_free_lock_until_its_lease_ends() {
    let server = server_or_skip!(Memcached::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    assert!(is_free(&node).await);
    let late = proxy.hold_back(write());
    let config = LockConfiguration::new("a", "3s").expect("a legal configuration");
    let lock = node.try_lock(config).await;
    let lock = lock
        .expect("the second connection answers")
        .expect("is free");
    let released = lock.unlock().await;
    assert_eq!(released.expect("the server answers"), Ownership::Ours);
    assert_eq!(item(&server, KEY).await, "EN");
    in_time(late.deliver()).await;
    assert_ne!(item(&server, KEY).await, "EN", "taken for nobody");
    must_become_free(&node).await;
}

#[tokio::test]
async fn what_a_late_acquisition_takes_is_released() {
    let server = server_or_skip!(Memcached::start().await);
    let other = node(&server.url());
    let (proxy, node) = behind_proxy(&server).await;
    network::must_release_what_a_late_acquisition_takes(&proxy, &node, &other, "a", &write()).await;
}

#[tokio::test]
async fn a_repeated_release_by_force_leaves_the_next_holder_alone() {
    let server = server_or_skip!(Memcached::start().await);
    let other = node(&server.url());
    let (proxy, node) = behind_proxy(&server).await;
    let delete = Trigger::containing("md ");
    network::must_leave_the_next_holder_alone(&proxy, &node, &other, "a", &delete).await;
}

/// What arrives after its caller has given up finds the number of a later write.
#[tokio::test]
async fn a_late_extension_and_a_late_release_change_nothing() {
    let server = server_or_skip!(Memcached::start().await);
    let (proxy, slow) = behind_proxy(&server).await;
    let other = node(&server.url());
    for is_release in [false, true] {
        let lease = take(&slow, "a").await;
        let late = proxy.hold_back(write());
        let asked = async {
            if is_release {
                slow.release(&lease, Duration::ZERO).await
            } else {
                slow.extend(&lease, Duration::from_secs(900)).await
            }
        };
        tokio::select! {
            answer = asked => panic!("the server has not been asked: {answer:?}"),
            () = in_time(late.sent()) => {}
        }
        assert!(other_takes(&server, &other).await);
        let before = item(&server, KEY).await;
        in_time(late.deliver()).await;
        assert_eq!(item(&server, KEY).await, before);
        server.execute(&format!("delete {KEY}\r\n")).await;
    }
}

/// Another node takes the lock after the key was deleted by hand.
async fn other_takes(server: &Memcached, other: &MemcachedLockProvider) -> bool {
    server.execute(&format!("delete {KEY}\r\n")).await;
    take(other, "a").await.fencing_token().is_some()
}

#[test]
fn a_provider_outlives_the_runtime_that_connected_it() {
    let started = tokio::runtime::Runtime::new().expect("a runtime");
    let server = server_or_skip!(started.block_on(Memcached::start()));
    network::must_outlive_its_runtime(&node(&server.url()), "a");
}

#[tokio::test]
async fn each_operation_is_one_round_trip() {
    let server = server_or_skip!(Memcached::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    assert!(is_free(&node).await);
    let mut before = proxy.counters().round_trips;
    let mut trips = || {
        let now = proxy.counters().round_trips;
        now - std::mem::replace(&mut before, now)
    };
    let lease = take(&node, "a").await;
    assert_eq!(trips(), 1, "taking");
    let refusal = refused(&node, "a").await;
    assert_eq!(trips(), 1, "being refused");
    assert!(
        refusal
            .remaining
            .is_some_and(|left| left > Duration::from_secs(590))
    );
    for _ in 0..2 {
        let extended = node.extend(&lease, Duration::from_secs(600)).await;
        assert_eq!(extended.expect("the server answers"), Ownership::Ours);
        assert_eq!(trips(), 1, "extending");
    }
    let released = node.release(&lease, Duration::from_secs(2)).await;
    assert_eq!(released.expect("the server answers"), Ownership::Ours);
    assert_eq!(trips(), 1, "releasing within `at_least`");
    let lease = take(&node, "b").await;
    assert_eq!(trips(), 1, "taking");
    let released = node.release(&lease, Duration::ZERO).await;
    assert_eq!(released.expect("the server answers"), Ownership::Ours);
    assert_eq!(trips(), 1, "releasing");
    assert_eq!(proxy.counters().connections, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_share_a_few_connections_and_one_wins() {
    let server = server_or_skip!(Memcached::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..300 {
        let node = node.clone();
        tasks.spawn(async move {
            let asked = request(&node, config("a"));
            node.acquire(&asked)
                .await
                .expect("the server answers")
                .granted()
        });
    }
    let answers = in_time(tasks.join_all()).await;
    assert_eq!(answers.iter().flatten().count(), 1);
    assert!(proxy.counters().connections <= 16, "{:?}", proxy.counters());
}
