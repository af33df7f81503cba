//! Connections that are dead, replies that are lost, and requests that arrive late.

use std::time::Duration;

use shedlock_object_store::ObjectStoreLockProvider;
use shedlock_runtime::{LockAdmin as _, LockProvider as _, LockProviderExt as _};
use shedlock_testkit::proxy::{Direction, Ending, Rule, Trigger};
use shedlock_testkit::requests::{config, in_time, request, taken};
use shedlock_testkit::{Proxy, network, server_or_skip};
use tokio::time::sleep;

use crate::place::Place;

/// A provider that reaches the place through the proxy.
async fn behind_proxy(place: &Place) -> (Proxy, ObjectStoreLockProvider) {
    let proxy = Proxy::start(place.address()).await.expect("a port is free");
    let url = place.url_at(proxy.address());
    let provider = ObjectStoreLockProvider::builder_from_url(&url).build();
    (proxy, provider.expect("valid"))
}

/// A firewall has forgotten the connection: nothing comes, and nothing says so.
#[tokio::test]
async fn a_dead_connection_is_replaced_in_the_same_call() {
    let place = Place::gcs().await;
    let (proxy, provider) = behind_proxy(&place).await;
    let lock = taken(&provider, "held").await;
    proxy.blackhole_connections();
    let next = taken(&provider, "mail").await;
    next.unlock().await.expect("over a new connection");
    lock.unlock().await.expect("the store answers");
}

/// Many jobs at one tick: with a connection for each, a store answers all of them so late that all are sent again.
#[tokio::test]
async fn many_calls_at_once_take_turns() {
    let place = Place::gcs().await;
    let (proxy, node) = behind_proxy(&place).await;
    network::must_take_turns(&proxy, &node).await;
}

/// The reply to a write is lost. The write is sent again, and the owner in the record tells that it has been done.
#[tokio::test]
async fn a_write_whose_reply_is_lost_is_done_once_and_granted() {
    for place in [server_or_skip!(Place::s3().await), Place::gcs().await] {
        let (proxy, provider) = behind_proxy(&place).await;
        let write = || Trigger::containing("PUT /");
        let back = async || {
            proxy.triggered().await;
            sleep(Duration::from_millis(300)).await;
            proxy.set(Rule::Pass);
        };
        proxy.on(write(), Rule::Discard(Direction::ToClient));
        let (mut lock, ()) = tokio::join!(taken(&provider, "mail"), back());
        let granted = place.get("mail").await.expect("an object");

        proxy.on(write(), Rule::Discard(Direction::ToClient));
        let (extended, ()) = tokio::join!(lock.extend("20m", Duration::ZERO), back());
        extended.expect("sent again");
        assert_ne!(
            place.get("mail").await.expect("an object").version,
            granted.version
        );

        proxy.on(write(), Rule::Discard(Direction::ToClient));
        let forcing = provider.force_release("mail", "its node is gone");
        let (forced, ()) = tokio::join!(forcing, back());
        assert!(forced.expect("sent again"), "it was this call's");
    }
}

/// The write passes, its reply does not, and then nothing does: the lock may have been granted.
#[tokio::test]
async fn a_write_that_may_have_been_done_is_in_doubt() {
    let place = Place::gcs().await;
    let (proxy, provider) = behind_proxy(&place).await;
    taken(&provider, "warm")
        .await
        .unlock()
        .await
        .expect("the store answers");
    proxy.refuse_connections().await;
    proxy.on(
        Trigger::containing("PUT /"),
        Rule::EndOnReply(Ending::Reset),
    );
    let request = request(&provider, config("mail"));
    let error = provider
        .acquire(&request)
        .await
        .expect_err("there is no answer");
    assert!(error.kind().is_ambiguous(), "{error:?}");
    assert!(place.get("mail").await.is_some(), "it was granted");
}

/// Stores close connections that are idle, and a list may be the first to find that out.
#[tokio::test]
async fn a_list_whose_reply_is_lost_is_made_again() {
    let place = Place::gcs().await;
    let (proxy, provider) = behind_proxy(&place).await;
    let lock = taken(&provider, "mail").await;
    let list = Trigger::containing("?list-type=");
    proxy.on(list, Rule::EndOnReply(Ending::Reset));
    let back = async {
        proxy.triggered().await;
        // Shorter than the pauses before the last attempt.
        sleep(Duration::from_millis(150)).await;
        proxy.set(Rule::Pass);
    };
    let (listed, ()) = tokio::join!(provider.list(), back);
    assert_eq!(listed.expect("made again").len(), 1);
    assert!(lock.is_held());
}

#[tokio::test]
async fn a_late_write_changes_nothing() {
    for place in [server_or_skip!(Place::s3().await), Place::gcs().await] {
        let (proxy, slow) = behind_proxy(&place).await;
        let lock = taken(&slow, "mail").await;
        let late = proxy.hold_back(Trigger::containing("PUT /"));
        // What the release does in the background is late as well.
        let hold = async {
            in_time(late.sent()).await;
            proxy.set(Rule::Hold(Direction::ToServer));
        };
        tokio::select! {
            unlocked = lock.unlock() => panic!("nothing passes: {unlocked:?}"),
            () = hold => {}
        }
        let forced = place
            .provider()
            .force_release("mail", "its node is slow")
            .await;
        assert!(forced.expect("the store answers"));
        let next = taken(&place.provider(), "mail").await;
        let entry = place.get("mail").await;
        proxy.set(Rule::Pass);
        late.deliver().await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(place.get("mail").await, entry);
        assert!(next.is_held());
    }
}

#[tokio::test]
async fn a_question_costs_as_many_requests_as_it_must() {
    let place = Place::gcs().await;
    let (proxy, provider) = behind_proxy(&place).await;
    taken(&provider, "warm")
        .await
        .unlock()
        .await
        .expect("the store answers");
    let mut before = proxy.counters().round_trips;
    let mut asked = || {
        let now = proxy.counters().round_trips;
        now - std::mem::replace(&mut before, now)
    };
    let mut lock = taken(&provider, "mail").await;
    assert_eq!(asked(), 2, "an acquisition");
    assert!(
        provider
            .try_lock(config("mail"))
            .await
            .expect("answers")
            .is_none()
    );
    assert_eq!(asked(), 1, "a refusal");
    lock.extend("20m", Duration::ZERO).await.expect("answers");
    assert_eq!(asked(), 1, "an extension");
    lock.unlock().await.expect("answers");
    assert_eq!(asked(), 1, "a release");
    taken(&provider, "mail")
        .await
        .unlock()
        .await
        .expect("answers");
    assert_eq!(
        asked(),
        3,
        "an acquisition of a free record, and its release"
    );
    sleep(Duration::from_millis(5)).await;
    let pruned = provider.prune(Duration::ZERO).await.expect("answers");
    assert_eq!(pruned, 2);
    asked();
    assert_eq!(provider.list().await.expect("answers"), []);
    assert_eq!(asked(), 1, "a list of what was pruned");
}
