//! Cases for takeovers: an acquisition tells whose lease had ended without a release.

use std::time::{Duration, Instant, SystemTime};

use shedlock_runtime::{Owner, Predecessor};

use super::node::Held;
use super::subject::{LONG, NOISE, Subject, config, fresh, until};

impl Subject {
    /// Whether acquisitions tell whose expired record they replaced. If not, prints that the case is not applicable.
    fn tells_takeovers(&self) -> bool {
        let tells = self.capabilities().tells_takeovers();
        if !tells {
            self.not_applicable("the store does not tell whose lease had ended");
        }
        tells
    }
}

/// Asserts that `next` tells that the lease of `dead` had ended without a release.
fn assert_told(next: &Held, dead: &Held, node: &str) -> Predecessor {
    let told = next.lease.predecessor();
    let told = told
        .unwrap_or_else(|| panic!("`{}` was taken over, and nobody said so", dead.lease.name()));
    // In memory there is one node for all.
    let stored = dead.lease.owner().map_or(node, Owner::node);
    assert_eq!(&*told.node, stored, "the wrong node is said to have died");
    if told.fencing_token.is_some() {
        assert_eq!(told.fencing_token, dead.lease.fencing_token());
    }
    told.clone()
}

fn assert_between(told: Option<SystemTime>, (early, late): (SystemTime, SystemTime), what: &str) {
    let Some(told) = told else { return };
    assert!(
        (early..=late).contains(&told),
        "{what} is {told:?}, and was between {early:?} and {late:?}"
    );
}

/// Waits until the lease of `held` has ended, also by the store's clock.
async fn expiry(subject: &Subject, held: &Held, at_most: Duration) {
    let end = held.answered + at_most + subject.slack();
    until(end.max(Instant::now()) + Duration::from_millis(20)).await;
}

/// A lease that ended without a release is told to the next holder: by whom, since when, until when. The holder after that is told nothing.
pub async fn a_dead_holder_is_told_once(subject: &Subject) {
    if !subject.tells_takeovers() {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let (lock, lease) = (fresh("dead"), subject.short());
    let slack = subject.slack() + NOISE;
    let early = SystemTime::now() - slack;
    let dead = one.seize(&lock, lease).await;
    let late = SystemTime::now() + slack;
    let next = two.seize_within(&lock, lease).await;
    let told = assert_told(&next, &dead, one.provider().info().node_name());
    assert_between(told.since, (early, late), "the beginning");
    assert_between(told.until, (early + lease, late + lease), "the end");
    two.release(&next).await;
    let after = one.seize(&lock, LONG).await;
    assert_eq!(after.lease.predecessor(), None, "it was told before");
}

/// A holder that extended its lease and then died is told.
pub async fn a_holder_that_extended_is_told(subject: &Subject) {
    if !subject.tells_takeovers() {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("dead-extended");
    let dead = one.seize(&lock, LONG).await;
    for _ in 0..3 {
        one.extend(&dead, subject.short()).await;
    }
    let next = two.seize_within(&lock, subject.short()).await;
    assert_told(&next, &dead, one.provider().info().node_name());
}

/// A released lock was not taken over from anybody, be it free at once or after its `at_least`, extended before or not.
pub async fn a_released_lock_has_no_predecessor(subject: &Subject) {
    if !subject.tells_takeovers() {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("released");
    let first = one.seize(&lock, LONG).await;
    assert_eq!(first.lease.predecessor(), None, "there was no record");
    one.release(&first).await;
    let second = two.seize(&lock, LONG).await;
    assert_eq!(second.lease.predecessor(), None, "the lock was released");
    two.extend(&second, LONG).await;
    two.release(&second).await;
    let third = one.seize_for(&lock, LONG, subject.short()).await;
    assert_eq!(third.lease.predecessor(), None, "the lock was released");
    one.release(&third).await;
    let fourth = two.seize_within(&lock, subject.short()).await;
    assert_eq!(
        fourth.lease.predecessor(),
        None,
        "an `at_least` is no crash"
    );
}

/// The late release of a holder whose lease had ended counts as a release, if nobody took the lock before it.
pub async fn a_late_release_is_a_release(subject: &Subject) {
    if !subject.tells_takeovers() {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("released-late");
    let late = one.seize(&lock, subject.short()).await;
    expiry(subject, &late, subject.short()).await;
    let _either_way = one.try_release(&late).await;
    let next = two.seize(&lock, LONG).await;
    assert_eq!(next.lease.predecessor(), None, "the lock was released");
}

/// A lock that an operator released or paused was taken over from nobody.
pub async fn an_operator_is_no_dead_holder(subject: &Subject) {
    if !subject.tells_takeovers() {
        return;
    }
    let Some(operator) = subject.operator().await else {
        return;
    };
    let one = subject.node("one").await;
    let lock = fresh("overruled");
    let _held = one.seize(&lock, LONG).await;
    assert!(operator.force_release(&lock, "its node is gone").await);
    let second = one.seize(&lock, LONG).await;
    assert_eq!(second.lease.predecessor(), None, "an operator released it");
    operator.pause(&lock, LONG, "upkeep").await;
    assert!(operator.resume(&lock).await);
    let third = one.seize(&lock, LONG).await;
    assert_eq!(third.lease.predecessor(), None, "an operator paused it");
}

/// The record of a JVM node does not tell a crash from a release.
pub async fn a_foreign_record_is_no_dead_holder(subject: &Subject) {
    if !subject.tells_takeovers() {
        return;
    }
    let lock = fresh("foreign-takeover");
    if !subject.harness().insert_foreign(&lock).await {
        return subject.not_applicable("the harness writes no foreign records");
    }
    let held = subject.node("one").await.seize(&lock, LONG).await;
    assert_eq!(held.lease.predecessor(), None, "a JVM node's record");
}

/// The run that a dead holder had begun is told with it, in a store that keeps positions.
pub async fn the_run_of_a_dead_holder_is_told(subject: &Subject) {
    if !subject.tells_takeovers() || !subject.keeps_positions() {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("dead-step");
    let step = config(&lock, subject.short(), Duration::ZERO)
        .with_step(1)
        .expect("a legal step");
    let dead = one.try_seize(step).await.expect("the step is due");
    let next = two.seize_within(&lock, subject.short()).await;
    let told = assert_told(&next, &dead, one.provider().info().node_name());
    let position = told.position.expect("a step was begun");
    assert_eq!(
        (position.number, position.is_done, position.tries),
        (1, false, 1)
    );
}
