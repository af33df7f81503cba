//! What happens when the network loses connections and replies.

use std::time::{Duration, Instant};

use shedlock_redis::RedisLockProvider;
use shedlock_runtime::{
    AcquireRequest, Acquisition, LockProvider as _, LockProviderExt as _, Ownership,
};
use shedlock_testkit::proxy::{Direction, Ending, Rule, Trigger};
use shedlock_testkit::requests::{extended, is_free, taken, until_free};
use shedlock_testkit::servers::Redis;
use shedlock_testkit::{Proxy, RoundTrips, server_or_skip};

use super::{KEY, ask, config, node};

/// A node that reaches the server through the proxy.
async fn behind_proxy(server: &Redis) -> (Proxy, RedisLockProvider) {
    let proxy = Proxy::start(server.address())
        .await
        .expect("a port can be had");
    let node = node(&proxy.url(&server.url()));
    (proxy, node)
}

#[tokio::test]
async fn a_connection_that_was_forgotten_is_replaced_within_the_call() {
    let server = server_or_skip!(Redis::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    assert!(is_free(&node, "a").await);
    for _ in 0..2 {
        proxy.blackhole_connections();
        let began = Instant::now();
        let mut lock = taken(&node, "a").await;
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "{:?}",
            began.elapsed()
        );
        proxy.end_connections(Ending::Close);
        assert_eq!(extended(&mut lock).await, Ownership::Ours);
        proxy.end_connections(Ending::Reset);
        assert_eq!(
            lock.unlock().await.expect("a new connection"),
            Ownership::Ours
        );
    }
}

/// The server carries out what the first connection asks for, and the reply is lost: the same call goes on with a second one.
#[tokio::test]
async fn a_lost_reply_is_made_up_for() {
    let server = server_or_skip!(Redis::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    assert!(is_free(&node, "a").await);
    let lose_one = async |times: u64| {
        proxy.on(Trigger::containing(KEY), Rule::Discard(Direction::ToClient));
        let before = proxy.counters().discarded_bytes;
        proxy
            .wait_until(|counters| counters.triggered == times && counters.discarded_bytes > before)
            .await;
        proxy.set(Rule::Pass);
    };
    let request = AcquireRequest::new(config(), node.info().clock().boot());
    let (answer, ()) = tokio::join!(node.acquire(&request), lose_one(1));
    let lease = answer.expect("the second connection answers").granted();
    let lease = lease.expect("asked again, it finds its own record");
    assert!(lease.fencing_token().is_some());
    let (extended, ()) = tokio::join!(node.extend(&lease, Duration::from_secs(900)), lose_one(2));
    assert_eq!(
        extended.expect("the second connection answers"),
        Ownership::Ours
    );
    let (released, ()) = tokio::join!(node.release(&lease, Duration::ZERO), lose_one(3));
    assert_eq!(
        released.expect("the second connection answers"),
        Ownership::Ours,
        "the fence says that this very request was carried out"
    );
    assert!(is_free(&node, "a").await);
}

/// The first of two requests arrives when the second was granted, used and given back.
#[tokio::test]
async fn a_late_acquisition_takes_nothing() {
    let server = server_or_skip!(Redis::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    assert!(is_free(&node, "a").await);
    let late = proxy.hold_back(Trigger::containing(KEY));
    let lock = taken(&node, "a").await;
    assert_eq!(
        lock.unlock().await.expect("the server answers"),
        Ownership::Ours
    );
    late.deliver().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        ask(&server, &["EXISTS", KEY]).await,
        "0",
        "a lock for a holder that is gone"
    );
}

#[tokio::test]
async fn a_refusal_after_a_lost_request_says_so() {
    let server = server_or_skip!(Redis::start().await);
    let other = node(&server.url());
    let (proxy, node) = behind_proxy(&server).await;
    assert!(is_free(&node, "a").await);
    let holder = taken(&other, "a").await;
    let late = proxy.hold_back(Trigger::containing(KEY));
    assert!(
        node.try_lock(config())
            .await
            .expect("the server answers")
            .is_none()
    );
    assert_eq!(
        holder.unlock().await.expect("the server answers"),
        Ownership::Ours
    );
    late.deliver().await;
    // The runtime gives back what the late request takes.
    until_free(&other, "a").await;
}

/// Each owner of a runtime closes it when done; the provider goes on in the next one.
#[test]
fn a_provider_outlives_the_runtime_that_connected_it() {
    let started = tokio::runtime::Runtime::new().expect("a runtime");
    let server = server_or_skip!(started.block_on(Redis::start()));
    let node = node(&server.url());
    for _ in 0..3 {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let request = AcquireRequest::new(config(), node.info().clock().boot());
        runtime.block_on(async {
            let lease = match node.acquire(&request).await.expect("the server answers") {
                Acquisition::Granted(lease) => lease,
                Acquisition::Refused(refusal) => panic!("it is free: {refusal:?}"),
            };
            assert_eq!(
                node.release(&lease, Duration::ZERO)
                    .await
                    .expect("the server answers"),
                Ownership::Ours
            );
        });
    }
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
