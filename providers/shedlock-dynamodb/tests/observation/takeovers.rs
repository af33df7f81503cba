//! When a node takes over the lock of a holder that died, and when it does not.

use std::time::{Duration, Instant};

use shedlock_dynamodb::DynamoDbLockProvider;
use shedlock_runtime::{
    AcquireRequest, ErrorKind, Expiry, Fencing, LockProvider as _, LockProviderExt as _, Ownership,
};
use shedlock_testkit::Proxy;
use shedlock_testkit::conformance::WrongClock;

use super::place::{Place, builder_for, client_of, string_in};
use super::{
    JOB, LEASE, ask, built, config, dead, node, refused, taken, taken_when_free, until_ended, wrong,
};

each_server! {
    new:
    two_hold_one_lock_if_times_of_day_are_compared_and_one_by_observation
    a_dead_holder_is_succeeded_after_its_lease_was_seen_and_not_earlier
    each_extension_begins_the_wait_anew
    a_state_that_has_changed_is_not_taken_over
    a_release_frees_at_once
    at_least_is_kept_and_who_kept_it_need_not_look_again
    a_node_that_waits_looks_meanwhile
    a_takeover_costs_one_round_trip
    the_option_is_in_the_url_and_declared
}

/// The fault that observation is against.
async fn two_hold_one_lock_if_times_of_day_are_compared_and_one_by_observation(place: Place) {
    let ahead = built(place.builder().time_source(WrongClock { ahead: true }));
    let minutes = Duration::from_mins(10);
    let held = taken(&place.node(), minutes).await;
    let second = ask(&ahead, config(minutes)).await;
    assert!(second.is_ok() && held.is_held(), "two run at once");
    place.delete(JOB).await;

    for (one, other) in [(false, true), (true, false)] {
        let (one, other) = (wrong(&place, one), wrong(&place, other));
        let held = taken(&one, LEASE).await;
        for node in [&one, &other, &node(&place)] {
            refused(node).await;
        }
        held.unlock().await.expect("the server answers");
    }
}

async fn a_dead_holder_is_succeeded_after_its_lease_was_seen_and_not_earlier(place: Place) {
    for ahead in [true, false] {
        let (one, two) = (wrong(&place, ahead), wrong(&place, !ahead));
        dead(&one, LEASE).await;
        // Nobody looks, and so nobody knows that the lease has ended.
        until_ended(LEASE).await;
        let asked = Instant::now();
        let refusal = refused(&two).await;
        let left = refusal.remaining.expect("the node knows how long it waits");
        assert!(
            left > LEASE / 2 && left <= LEASE + LEASE / 1_000,
            "{left:?}"
        );
        let lock = taken_when_free(&two, LEASE).await;
        let waited = asked.elapsed();
        assert!(waited >= LEASE, "taken over after {waited:?}");
        refused(&one).await;
        lock.unlock().await.expect("the server answers");
    }
}

async fn each_extension_begins_the_wait_anew(place: Place) {
    let (one, two) = (node(&place), node(&place));
    let mut held = taken(&one, LEASE).await;
    let mut asked = Instant::now();
    for _ in 0..3 {
        refused(&two).await;
        tokio::time::sleep(LEASE / 2).await;
        asked = Instant::now();
        held.extend(LEASE, Duration::ZERO).await.expect("is live");
    }
    held.release_on_drop(false);
    drop(held);
    let _next = taken_when_free(&two, LEASE).await;
    let waited = asked.elapsed();
    assert!(waited >= LEASE, "taken over after {waited:?}");
}

/// A takeover demands the very state that was seen. Here another process, which goes on with the lock of the first, has changed it.
async fn a_state_that_has_changed_is_not_taken_over(place: Place) {
    let (one, two) = (node(&place), node(&place));
    dead(&one, LEASE).await;
    refused(&two).await;
    let stored = string_in(&place.get(JOB).await.expect("an item"), "lockedBy");
    until_ended(LEASE).await;
    let now = one.info().clock().boot();
    let resumed = AcquireRequest::resumed(config(LEASE), now, &stored);
    let lease = resumed.expect("is an owner").grant(None);
    let extended = one.extend(&lease, LEASE).await;
    assert_eq!(extended.expect("the server answers"), Ownership::Ours);
    refused(&two).await;
    let released = one.release(&lease, Duration::ZERO).await;
    assert_eq!(released.expect("the server answers"), Ownership::Ours);
    let _next = taken(&two, LEASE).await;
}

async fn a_release_frees_at_once(place: Place) {
    let nodes = [wrong(&place, true), wrong(&place, false), node(&place)];
    for number in 0..6 {
        let held = taken(&nodes[number % 3], Duration::from_mins(10)).await;
        refused(&nodes[(number + 1) % 3]).await;
        held.unlock().await.expect("the server answers");
    }
}

async fn at_least_is_kept_and_who_kept_it_need_not_look_again(place: Place) {
    let (one, two) = (wrong(&place, true), wrong(&place, false));
    let asked = Instant::now();
    let kept = config(Duration::from_mins(10)).with_at_least(LEASE);
    let lock = ask(&one, kept.expect("legal")).await.expect("is free");
    lock.unlock().await.expect("the server answers");
    // No scheduler asks a node in between.
    until_ended(LEASE).await;
    refused(&two).await;
    let again = taken(&one, LEASE).await;
    assert!(asked.elapsed() >= LEASE);
    again.unlock().await.expect("the server answers");
    let _next = taken(&two, LEASE).await;
}

async fn a_node_that_waits_looks_meanwhile(place: Place) {
    let (one, two) = (wrong(&place, false), wrong(&place, true));
    dead(&one, LEASE).await;
    let asked = Instant::now();
    let waiting = config(LEASE).with_wait("40s").expect("legal");
    let lock = ask(&two, waiting).await;
    let _next = lock.expect("the lease ends meanwhile");
    let waited = asked.elapsed();
    assert!(waited >= LEASE, "taken over after {waited:?}");
}

async fn a_takeover_costs_one_round_trip(place: Place) {
    let proxy = Proxy::start(place.server.address()).await;
    let proxy = proxy.expect("a port is free");
    let client = client_of(&proxy.url(&place.server.endpoint()));
    let builder = DynamoDbLockProvider::builder(client).table(&place.table);
    let two = built(builder.expiry_by_observation());
    dead(&node(&place), LEASE).await;
    refused(&two).await;
    until_ended(LEASE).await;
    let before = proxy.counters().round_trips;
    let _next = taken(&two, LEASE).await;
    assert_eq!(proxy.counters().round_trips - before, 1);
}

async fn the_option_is_in_the_url_and_declared(place: Place) {
    let endpoint = place.server.endpoint();
    let url = format!("{}?expiry=observation&endpoint={endpoint}", place.table);
    let observed = [
        node(&place),
        built(builder_for(&endpoint, &place.table).expiry_by_observation()),
        built(builder_for(&endpoint, &url)),
    ];
    for node in observed {
        let capabilities = node.info().capabilities();
        assert_eq!(capabilities.expiry(), Expiry::ByObservation);
        assert_eq!(capabilities.fencing(), Fencing::UntilDeletion);
        assert!(capabilities.keeps_positions());
    }
    let builder = || place.builder();
    for both in [
        builder().dynalock().expiry_by_observation(),
        builder().expiry_by_observation().dynalock(),
    ] {
        let error = both.build().expect_err("Dynalock compares clocks");
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error:?}");
    }
    assert!(node(&place).try_lock(config(LEASE)).await.is_ok());
}
