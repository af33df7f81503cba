//! The holder is asked to end (SIGTERM), and does so as it should.

use std::time::Duration;

use rustix::process::Signal;
use shedlock_tests::holds::monotonic_nanos;

use crate::support::{Child, Place, Scenario, cases, is_free, nanos, until};

cases! {
    a4_sigterm_with_graceful_shutdown_by_cancelling on sqlite postgres mariadb;
    a4_sigterm_with_graceful_shutdown_by_awaiting on sqlite postgres mariadb;
}

/// Far longer than any of this takes: nothing here waits for a lease.
const LEASE: Duration = Duration::from_mins(5);
/// What is done at once has been done by then on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// The body is dropped, and the lock given back at once.
async fn a4_sigterm_with_graceful_shutdown_by_cancelling(place: Place) {
    let locks = place.connect().await;
    let mut child = Child::start(Scenario::EndByCancelling, &place.url, LEASE);
    child.until("handles SIGTERM").await;
    child.until_at_work().await;
    assert!(!is_free(&locks, "job").await);
    let told = monotonic_nanos();
    child.signal(Signal::TERM);
    until(async || is_free(&locks, "job").await.then_some(())).await;
    let took = Duration::from_nanos(monotonic_nanos() - told);
    println!("free again {took:?} after the signal");
    assert!(took < SOON, "{took:?}");
    child.until("shut down: 1 cancelled, 0 abandoned").await;
    child.until("failed: ShutDown").await;
    assert!(child.ended().await.success());
    assert!(monotonic_nanos() < told + nanos(SOON));
}

/// The body may end by itself, and keeps its lock until it has.
async fn a4_sigterm_with_graceful_shutdown_by_awaiting(place: Place) {
    let locks = place.connect().await;
    let mut child = Child::start(Scenario::EndByAwaiting, &place.url, LEASE);
    child.until("handles SIGTERM").await;
    child.until_at_work().await;
    child.signal(Signal::TERM);
    let asked = child.until("asked to end").await.at;
    until(async || (child.last_step() > asked + nanos(Duration::from_millis(100))).then_some(()))
        .await;
    assert!(!is_free(&locks, "job").await, "it works on, so it holds on");
    child.tell_to_stop();
    child.until("shut down: 0 cancelled, 0 abandoned").await;
    child.until("executed").await;
    assert!(is_free(&locks, "job").await);
    assert!(child.ended().await.success());
}
