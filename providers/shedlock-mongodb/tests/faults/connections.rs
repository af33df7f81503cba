//! What happens when the network loses connections and replies.

use std::time::{Duration, Instant};

use shedlock_runtime::{
    AcquireRequest, Acquisition, LockProvider as _, LockProviderExt as _, Ownership,
};
use shedlock_testkit::proxy::{Direction, Ending, Rule, Trigger};
use shedlock_testkit::requests::{extended, is_free, taken, until_free};
use shedlock_testkit::{Proxy, RoundTrips, server_or_skip};

use super::place::{Deciding, Place};
use super::{JOB, behind_proxy, config, places};

/// What is in each command that writes, and in no read and no heartbeat.
fn write() -> Trigger {
    Trigger::containing("writeConcern")
}

#[tokio::test]
async fn a_connection_that_was_forgotten_is_replaced_within_the_call() {
    for place in places!() {
        let (proxy, node) = behind_proxy(&place).await;
        assert!(is_free(&node, JOB).await);
        for _ in 0..2 {
            proxy.blackhole_connections();
            let began = Instant::now();
            let mut lock = taken(&node, JOB).await;
            let took = began.elapsed();
            assert!(took < Duration::from_secs(4), "{took:?}");
            proxy.end_connections(Ending::Close);
            assert_eq!(extended(&mut lock).await, Ownership::Ours);
            proxy.end_connections(Ending::Reset);
            let unlocked = lock.unlock().await.expect("a new connection");
            assert_eq!(unlocked, Ownership::Ours);
        }
    }
}

/// The server carries out what the first connection asks for, and the reply is lost: the same call goes on with a second one.
#[tokio::test]
async fn a_lost_reply_is_made_up_for() {
    for place in places!() {
        let (proxy, node) = behind_proxy(&place).await;
        assert!(is_free(&node, JOB).await);
        let lose_one = async |times: u64| {
            proxy.on(write(), Rule::Discard(Direction::ToClient));
            let before = proxy.counters().discarded_bytes;
            proxy
                .wait_until(|counters| {
                    counters.triggered == times && counters.discarded_bytes > before
                })
                .await;
            proxy.set(Rule::Pass);
        };
        let request = AcquireRequest::new(config(), node.info().clock().boot());
        let (answer, ()) = tokio::join!(node.acquire(&request), lose_one(1));
        let lease = answer.expect("the second connection answers").granted();
        let lease = lease.expect("asked again, it finds its own record");
        assert!(lease.fencing_token().is_some());
        let longer = Duration::from_secs(900);
        let (extended, ()) = tokio::join!(node.extend(&lease, longer), lose_one(2));
        assert_eq!(extended.expect("an answer"), Ownership::Ours);
        let numbered = place.get(JOB).await.expect("a document");
        let numbered = numbered.get_str("lockedBy").expect("a string").to_owned();
        assert!(numbered.ends_with("000000000002"), "carried out once");
        let (released, ()) = tokio::join!(node.release(&lease, Duration::ZERO), lose_one(3));
        assert_eq!(released.expect("an answer"), Ownership::Ours);
        assert!(is_free(&node, JOB).await);
    }
}

/// The first of two requests arrives when the second was granted, used and given back.
#[tokio::test]
async fn a_late_acquisition_takes_nothing() {
    for place in places!() {
        let (proxy, node) = behind_proxy(&place).await;
        assert!(is_free(&node, JOB).await);
        let late = proxy.hold_back(write());
        let lock = taken(&node, JOB).await;
        let unlocked = lock.unlock().await.expect("the server answers");
        assert_eq!(unlocked, Ownership::Ours);
        let before = place.get(JOB).await;
        late.deliver().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(
            place.get(JOB).await,
            before,
            "a lock for a holder that is gone"
        );
    }
}

/// The first of two extensions arrives when the second was made: the end stays where the second has put it.
#[tokio::test]
async fn a_late_extension_changes_nothing() {
    for place in places!() {
        let (proxy, node) = behind_proxy(&place).await;
        let mut lock = taken(&node, JOB).await;
        let late = proxy.hold_back(write());
        assert_eq!(extended(&mut lock).await, Ownership::Ours);
        lock.extend("1m", "0s").await.expect("the lease is live");
        let before = place.get(JOB).await;
        late.deliver().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(place.get(JOB).await, before);
        lock.unlock().await.expect("the server answers");
    }
}

#[tokio::test]
async fn a_refusal_after_a_lost_request_says_so() {
    let place = server_or_skip!(Place::alone(Deciding::Server).await);
    let other = place.node();
    let (proxy, node) = behind_proxy(&place).await;
    assert!(is_free(&node, JOB).await);
    let holder = taken(&other, JOB).await;
    let late = proxy.hold_back(write());
    let refused = node.try_lock(config()).await.expect("the server answers");
    assert!(refused.is_none());
    let unlocked = holder.unlock().await.expect("the server answers");
    assert_eq!(unlocked, Ownership::Ours);
    late.deliver().await;
    // The runtime gives back what the late request takes.
    until_free(&other, JOB).await;
}

/// Each owner of a runtime closes it when done; the provider goes on in the next one.
#[test]
fn a_provider_outlives_the_runtime_that_connected_it() {
    let started = tokio::runtime::Runtime::new().expect("a runtime");
    let place = server_or_skip!(started.block_on(Place::alone(Deciding::Server)));
    let node = place.node();
    for _ in 0..3 {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let request = AcquireRequest::new(config(), node.info().clock().boot());
        runtime.block_on(async {
            let lease = match node.acquire(&request).await.expect("the server answers") {
                Acquisition::Granted(lease) => lease,
                Acquisition::Refused(refusal) => panic!("it is free: {refusal:?}"),
            };
            let released = node.release(&lease, Duration::ZERO).await;
            assert_eq!(released.expect("the server answers"), Ownership::Ours);
        });
    }
}

/// How often a node waits for the server: by the clients' clocks, an acquisition first looks.
#[tokio::test]
async fn round_trips_are_as_few_as_the_readme_says() {
    for (place, acquire) in places!().into_iter().zip([1, 2]) {
        let expected = RoundTrips {
            acquire,
            refusal: 1,
            extend: 1,
            release: 1,
        };
        let proxy = Proxy::start(place.server.address()).await;
        let proxy = proxy.expect("a port is free");
        // The driver's heartbeats are round trips, too.
        let url = format!("{}&heartbeatFrequencyMS=600000", proxy.url(&place.url()));
        let node = place.builder_at(&url).build().expect("valid");
        let counted = RoundTrips::count(&proxy, &node).await;
        assert_eq!(counted, expected, "{:?}", place.deciding);
    }
}
