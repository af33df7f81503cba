//! What happens when the network loses connections and replies.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use shedlock_runtime::{AcquireRequest, Acquisition, LockConfiguration, LockProvider as _};
use shedlock_testkit::proxy::{Direction, Rule, Trigger};
use shedlock_testkit::requests::is_free;
use shedlock_testkit::{Proxy, RoundTrips, network, server_or_skip};

use super::place::{Deciding, Place};
use super::{JOB, behind_proxy, places};

/// What is in each command that writes, and in no read and no heartbeat.
fn write() -> Trigger {
    Trigger::containing("writeConcern")
}

#[tokio::test]
async fn a_lost_connection_is_replaced_within_the_call() {
    for place in places!() {
        let (proxy, node) = behind_proxy(&place).await;
        network::must_replace_lost_connections(&proxy, &node, JOB).await;
    }
}

#[tokio::test]
async fn a_lost_reply_is_made_up_for() {
    for place in places!() {
        let (proxy, node) = behind_proxy(&place).await;
        network::must_ask_again(&proxy, &node, JOB, &write()).await;
    }
}

#[tokio::test]
async fn a_repeated_release_by_force_leaves_the_next_holder_alone() {
    for place in places!() {
        let other = place.node();
        let (proxy, node) = behind_proxy(&place).await;
        // In the update that compares and swaps, and not in the read before it.
        let release = Trigger::containing("$set");
        network::must_leave_the_next_holder_alone(&proxy, &node, &other, JOB, &release).await;
    }
}

#[tokio::test]
async fn a_late_acquisition_takes_nothing() {
    for place in places!() {
        let (proxy, node) = behind_proxy(&place).await;
        network::must_ignore_a_late_acquisition(&proxy, &node, JOB, &write()).await;
    }
}

#[tokio::test]
async fn a_late_extension_changes_nothing() {
    for place in places!() {
        let (proxy, node) = behind_proxy(&place).await;
        let record = async || place.get(JOB).await;
        network::must_ignore_a_late_extension(&proxy, &node, JOB, &write(), record).await;
    }
}

#[tokio::test]
async fn what_a_late_acquisition_takes_is_released() {
    let place = server_or_skip!(Place::alone(Deciding::Server).await);
    let other = place.node();
    let (proxy, node) = behind_proxy(&place).await;
    network::must_release_what_a_late_acquisition_takes(&proxy, &node, &other, JOB, &write()).await;
}

#[test]
fn a_provider_outlives_the_runtime_that_connected_it() {
    let started = tokio::runtime::Runtime::new().expect("a runtime");
    let place = server_or_skip!(started.block_on(Place::alone(Deciding::Server)));
    network::must_outlive_its_runtime(&place.node(), JOB);
}

/// Many jobs at one tick, and a server that is far away: those that wait for a connection are not taken for unanswered, however long that
/// takes. Asked again, they would keep the connections from each other.
#[tokio::test]
async fn calls_that_wait_for_a_connection_are_not_taken_for_unanswered() {
    const CALLS: usize = 400;
    let place = server_or_skip!(Place::new(Deciding::Server).await);
    let (proxy, node) = behind_proxy(&place).await;
    assert!(is_free(&node, JOB).await);
    proxy.set(Rule::Delay(Direction::ToClient, Duration::from_millis(150)));
    let began = Instant::now();
    let calls = (0..CALLS).map(async |number| {
        let config = LockConfiguration::new(format!("job-{number}"), "10m").expect("legal");
        let request = AcquireRequest::new(config, node.info().clock().boot());
        node.acquire(&request).await
    });
    for granted in join_all(calls).await {
        let granted = granted.expect("the server answers");
        assert!(matches!(granted, Acquisition::Granted(_)), "{granted:?}");
    }
    let took = began.elapsed();
    assert!(took > Duration::from_secs(4), "none waited long: {took:?}");
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
