//! The holder stands still for a while (SIGSTOP), and the world goes on.

use std::time::Duration;

use rustix::process::Signal;
use shedlock::LockProviderExt as _;
use shedlock_tests::holds::monotonic_nanos;

use crate::support::{Child, Place, Scenario, cases, config, is_free, nanos, take};

cases! {
    a2_sigstop_longer_than_the_lease on sqlite postgres mariadb;
    a2_sigstop_longer_than_the_lease_of_a_body_that_is_told on postgres;
    a3_sigstop_shorter_than_the_lease on sqlite postgres mariadb;
}

const LEASE: Duration = Duration::from_secs(2);

/// Stops the holder at work until another has the lock, then lets it go on: not one poll of its body more.
async fn a2_sigstop_longer_than_the_lease(place: Place) {
    let locks = place.connect().await;
    let child = Child::start(Scenario::Cancel, &place.url, LEASE);
    let entered = child.until_at_work().await;
    child.signal(Signal::STOP);
    let (mut heir, granted) = take(&locks, "job", Duration::from_mins(10)).await;
    assert!(granted >= entered.at, "there was one before");
    // Only now: the signal takes a moment to arrive.
    let steps = child.count("step");
    assert!(child.notes().iter().all(|note| note.at <= granted));
    child.signal(Signal::CONT);
    child.until("failed: Lost").await;
    // The stop may have hit a poll that had begun.
    let more = child.count("step") - steps;
    assert!(more <= 1, "{more} polls after the lease");
    // The late release has done nothing to the heir.
    heir.extend("10m", "0s").await.expect("the heir holds it");
    assert!(!is_free(&locks, "job").await);
    heir.unlock().await.expect("the store answers");
}

async fn a2_sigstop_longer_than_the_lease_of_a_body_that_is_told(place: Place) {
    let locks = place.connect().await;
    let child = Child::start(Scenario::Notify, &place.url, LEASE);
    child.until_at_work().await;
    child.signal(Signal::STOP);
    let (heir, _) = take(&locks, "job", Duration::from_mins(10)).await;
    assert_eq!(child.count("told"), 0);
    child.signal(Signal::CONT);
    let told = child.until("told").await.at;
    // It goes on, as it was asked to.
    let steps = child.count("step");
    crate::support::until(async || (child.count("step") > steps).then_some(())).await;
    assert!(told <= monotonic_nanos());
    heir.unlock().await.expect("the store answers");
}

async fn a3_sigstop_shorter_than_the_lease(place: Place) {
    let locks = place.connect().await;
    let lease = Duration::from_secs(6);
    let child = Child::start(Scenario::KeepAlive, &place.url, lease);
    let entered = child.until_at_work().await.at;
    // Past the time of the first extension, and not to the end of the lease.
    child.signal(Signal::STOP);
    tokio::time::sleep(lease / 2 + Duration::from_millis(300)).await;
    child.signal(Signal::CONT);
    // Well past the end of the first lease nobody else has had it.
    while monotonic_nanos() < entered + nanos(lease + Duration::from_secs(1)) {
        let other = locks.try_lock(config("job", lease)).await;
        assert!(other.expect("the store answers").is_none());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let steps = child.count("step");
    crate::support::until(async || (child.count("step") > steps).then_some(())).await;
    child.tell_to_stop();
    child.until("executed").await;
    crate::support::until(async || is_free(&locks, "job").await.then_some(())).await;
}
