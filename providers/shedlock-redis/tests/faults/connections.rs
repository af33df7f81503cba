//! What happens when the network loses connections and replies.

use shedlock_redis::RedisLockProvider;
use shedlock_runtime::LockAdmin as _;
use shedlock_testkit::proxy::Trigger;
use shedlock_testkit::requests::take;
use shedlock_testkit::servers::Redis;
use shedlock_testkit::{Proxy, RoundTrips, network, server_or_skip};

use super::{KEY, ask, node};

/// A node that reaches the server through the proxy.
async fn behind_proxy(server: &Redis) -> (Proxy, RedisLockProvider) {
    let proxy = Proxy::start(server.address())
        .await
        .expect("a port can be had");
    let node = node(&proxy.url(&server.url()));
    (proxy, node)
}

/// What each script that writes names.
fn write() -> Trigger {
    Trigger::containing(KEY)
}

#[tokio::test]
async fn a_lost_connection_is_replaced_within_the_call() {
    let server = server_or_skip!(Redis::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    network::must_replace_lost_connections(&proxy, &node, "a").await;
}

#[tokio::test]
async fn a_lost_reply_is_made_up_for() {
    let server = server_or_skip!(Redis::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    network::must_ask_again(&proxy, &node, "a", &write()).await;
}

#[tokio::test]
async fn a_repeated_release_by_force_leaves_the_next_holder_alone() {
    let server = server_or_skip!(Redis::start().await);
    let other = node(&server.url());
    let (proxy, node) = behind_proxy(&server).await;
    // The server knows both scripts, so neither is sent a second time in full.
    take(&other, "b").await;
    assert!(other.force_release("b", "").await.expect("an answer"));
    let release = Trigger::containing("release");
    network::must_leave_the_next_holder_alone(&proxy, &node, &other, "a", &release).await;
}

#[tokio::test]
async fn a_late_acquisition_takes_nothing() {
    let server = server_or_skip!(Redis::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    network::must_ignore_a_late_acquisition(&proxy, &node, "a", &write()).await;
}

#[tokio::test]
async fn a_late_extension_changes_nothing() {
    let server = server_or_skip!(Redis::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    let record = async || {
        let value = ask(&server, &["GET", KEY]).await;
        value + &ask(&server, &["PEXPIRETIME", KEY]).await
    };
    network::must_ignore_a_late_extension(&proxy, &node, "a", &write(), record).await;
}

#[tokio::test]
async fn what_a_late_acquisition_takes_is_released() {
    let server = server_or_skip!(Redis::start().await);
    let other = node(&server.url());
    let (proxy, node) = behind_proxy(&server).await;
    network::must_release_what_a_late_acquisition_takes(&proxy, &node, &other, "a", &write()).await;
}

#[test]
fn a_provider_outlives_the_runtime_that_connected_it() {
    let started = tokio::runtime::Runtime::new().expect("a runtime");
    let server = server_or_skip!(started.block_on(Redis::start()));
    network::must_outlive_its_runtime(&node(&server.url()), "a");
}

/// How often a node waits for the server: each operation is one script.
#[tokio::test]
async fn each_operation_is_one_round_trip() {
    let server = server_or_skip!(Redis::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    let expected = RoundTrips {
        acquire: 1,
        refusal: 1,
        extend: 1,
        release: 1,
    };
    assert_eq!(RoundTrips::count(&proxy, &node).await, expected);
    assert_eq!(proxy.counters().connections, 1);
}
