//! What happens when the network loses connections, requests and replies.

use std::time::Duration;

use shedlock_nats::NatsLockProvider;
use shedlock_runtime::{AcquireRequest, ErrorKind, LockAdmin as _, LockProvider as _};
use shedlock_testkit::proxy::{Direction, Ending, Rule, Trigger};
use shedlock_testkit::requests::{config, taken};
use shedlock_testkit::servers::Nats;
use shedlock_testkit::{Proxy, RoundTrips, network, server_or_skip};
use tokio::time::sleep;

use super::place::Place;

/// A provider that reaches the server through the proxy.
async fn behind_proxy(server: &Nats, place: &Place) -> (Proxy, NatsLockProvider) {
    let proxy = Proxy::start(server.address())
        .await
        .expect("a port is free");
    let provider = NatsLockProvider::builder_from_url(&proxy.url(&server.url()));
    let provider = provider.bucket(&place.bucket).build().expect("valid");
    (proxy, provider)
}

/// A firewall has forgotten the connection: nothing comes, and nothing says so.
#[tokio::test]
async fn a_dead_connection_is_replaced_in_the_same_call() {
    let server = server_or_skip!(Nats::start().await);
    let place = Place::new(&server).await;
    let (proxy, provider) = behind_proxy(&server, &place).await;
    let lock = taken(&provider, "held").await;
    proxy.blackhole_connections();
    taken(&provider, "mail")
        .await
        .unlock()
        .await
        .expect("the same call");
    lock.unlock().await.expect("NATS answers");
}

/// The reply to a write is lost. The question is asked again, and the id in the entry tells that it has been done.
#[tokio::test]
async fn a_write_whose_reply_is_lost_is_done_once_and_granted() {
    let server = server_or_skip!(Nats::start().await);
    let place = Place::new(&server).await;
    let (proxy, provider) = behind_proxy(&server, &place).await;
    let mut lock = taken(&provider, "mail").await;
    let before = place.get("mail").await.expect("an entry").sequence;
    proxy.set(Rule::Discard(Direction::ToClient));
    let back = async || {
        sleep(Duration::from_millis(700)).await;
        proxy.set(Rule::Pass);
    };
    let sequence = async || place.get("mail").await.expect("an entry").sequence;
    let (extended, ()) = tokio::join!(lock.extend("20m", Duration::ZERO), back());
    extended.expect("asked again");
    assert_eq!(sequence().await, before + 1);

    // Without an id, the second question would find a lock that is free already, and nothing to release.
    let write = Trigger::containing("Shedlock-Write");
    proxy.on(write, Rule::Discard(Direction::ToClient));
    let forcing = provider.force_release("mail", "its node is gone");
    let (forced, ()) = tokio::join!(forcing, back());
    assert!(forced.expect("asked again"), "it was this call's");
    assert_eq!(sequence().await, before + 2);
}

/// The write passes, its reply does not, and then nothing does: the lock may have been granted.
#[tokio::test]
async fn a_write_that_may_have_been_done_is_in_doubt() {
    let server = server_or_skip!(Nats::start().await);
    let place = Place::new(&server).await;
    let (proxy, provider) = behind_proxy(&server, &place).await;
    taken(&provider, "warm")
        .await
        .unlock()
        .await
        .expect("NATS answers");
    proxy.refuse_connections().await;
    let write = Trigger::containing("Shedlock-Write");
    proxy.on(write, Rule::EndOnReply(Ending::Reset));
    let clock = provider.info().clock().boot();
    let request = AcquireRequest::new(config("mail"), clock);
    let asked = provider.acquire(&request).await;
    let error = asked.expect_err("there is no answer");
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error:?}");
    assert!(place.get("mail").await.is_some(), "it was granted");
}

/// A write that comes after its caller has given up finds another sequence.
#[tokio::test]
async fn a_late_write_changes_nothing() {
    let server = server_or_skip!(Nats::start().await);
    let place = Place::new(&server).await;
    let (proxy, slow) = behind_proxy(&server, &place).await;
    let lock = taken(&slow, "mail").await;
    proxy.set(Rule::Hold(Direction::ToServer));
    let unlocking = tokio::time::timeout(Duration::from_millis(300), lock.unlock()).await;
    assert!(unlocking.is_err(), "nothing passes");
    let forced = place
        .provider()
        .force_release("mail", "its node is slow")
        .await;
    assert!(forced.expect("NATS answers"));
    let next = taken(&place.provider(), "mail").await;
    let entry = place.get("mail").await;
    proxy.set(Rule::Pass);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(place.get("mail").await, entry);
    assert!(next.is_held());
}

/// How often a node waits for the server: an acquisition reads before it writes.
#[tokio::test]
async fn round_trips_are_as_few_as_the_readme_says() {
    let server = server_or_skip!(Nats::start().await);
    let place = Place::new(&server).await;
    let (proxy, provider) = behind_proxy(&server, &place).await;
    let expected = RoundTrips {
        acquire: 2,
        refusal: 1,
        extend: 1,
        release: 1,
    };
    assert_eq!(RoundTrips::count(&proxy, &provider).await, expected);
    assert_eq!(proxy.counters().connections, 1);
}

#[test]
fn a_provider_outlives_the_runtime_that_connected_it() {
    let started = tokio::runtime::Runtime::new().expect("a runtime");
    let server = server_or_skip!(started.block_on(Nats::start()));
    let provider = started.block_on(Place::new(&server)).provider();
    network::must_outlive_its_runtime(&provider, "mail");
}
