//! A request that reaches the store a second time, or after its successors, changes nothing that was done since.
//!
//! A network keeps a segment back, a server stands still with a request in its hands, and meanwhile the caller asks again over
//! another connection: each pair of acquisition, extension and release can arrive the wrong way round.

use std::time::{Duration, Instant};

use shedlock_runtime::{AcquireRequest, Acquisition, Lease, Ownership};

use super::harness::Peek;
use super::node::Node;
use super::subject::{LONG, NOISE, Subject, config, fresh, until};

/// A request, and the lease that it has won.
async fn won(
    node: &Node,
    lock: &str,
    at_most: Duration,
    at_least: Duration,
) -> (AcquireRequest, Lease) {
    let request = node.request(config(lock, at_most, at_least));
    let answer = node.provider().acquire(&request).await;
    let lease = answer.expect("the store answers").granted();
    (request, lease.expect("nobody holds the lock"))
}

/// Delivers an acquisition once more, whose lease is over: whatever the answer is, it is no grant.
async fn must_not_be_granted(node: &Node, request: &AcquireRequest) {
    let answer = node.provider().acquire(request).await;
    assert!(
        !matches!(answer, Ok(Acquisition::Granted(_))),
        "a late acquisition took the lock for a holder that is gone"
    );
}

async fn extend(node: &Node, lease: &Lease, at_most: Duration) -> Ownership {
    let answer = node.provider().extend(lease, at_most).await;
    answer.expect("the store answers")
}

async fn release(node: &Node, lease: &Lease) -> Ownership {
    let provider = node.provider();
    let keep_for = lease.at_least_left(provider.info().clock());
    let answer = provider.release(lease, keep_for).await;
    answer.expect("the store answers")
}

/// A lease whose next request is kept back, and the copy with which that request is delivered later.
fn kept_back(lease: &Lease) -> Lease {
    let late = lease.replica();
    let _kept_back = lease.next_write().expect("the lease has an owner");
    late
}

/// The record is as it was, and others are refused after the time that the late request would have left.
async fn must_still_hold(subject: &Subject, lock: &str, before: &Peek, after: Duration) {
    assert_eq!(
        &subject.peek(lock).await,
        before,
        "a late request changed the record"
    );
    until(Instant::now() + after + NOISE).await;
    subject.node("two").await.must_be_refused(lock).await;
}

fn nothing_is_late(subject: &Subject) -> bool {
    let at_once = subject.harness().answers_at_once();
    if at_once {
        subject.not_applicable("no request is on its way for any time");
    }
    at_once
}

/// The first copy of an acquisition arrives after the lease was extended.
pub async fn an_acquisition_after_an_extension(subject: &Subject) {
    if nothing_is_late(subject) {
        return;
    }
    let one = subject.node("one").await;
    let lock = fresh("late-acquire-extend");
    let (request, lease) = won(&one, &lock, subject.roomy(), Duration::ZERO).await;
    assert_eq!(extend(&one, &lease, LONG).await, Ownership::Ours);
    let before = subject.peek(&lock).await;
    let _either = one.provider().acquire(&request).await;
    must_still_hold(subject, &lock, &before, subject.roomy()).await;
    assert_eq!(release(&one, &lease).await, Ownership::Ours);
}

/// It arrives while `at_least` keeps the lock.
pub async fn an_acquisition_while_at_least_lasts(subject: &Subject) {
    if nothing_is_late(subject) {
        return;
    }
    let one = subject.node("one").await;
    let lock = fresh("late-acquire-at-least");
    let (request, lease) = won(&one, &lock, subject.short(), LONG).await;
    assert_eq!(release(&one, &lease).await, Ownership::Ours);
    let before = subject.peek(&lock).await;
    let _either = one.provider().acquire(&request).await;
    must_still_hold(subject, &lock, &before, subject.short()).await;
}

/// It arrives when the lock was given back.
pub async fn an_acquisition_after_its_release(subject: &Subject) {
    if nothing_is_late(subject) || !subject.keeps_free_records() {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("late-acquire-release");
    let (request, lease) = won(&one, &lock, LONG, Duration::ZERO).await;
    assert_eq!(release(&one, &lease).await, Ownership::Ours);
    must_not_be_granted(&one, &request).await;
    two.must_be_free(&lock).await;
}

/// It arrives when the lease has run out.
pub async fn an_acquisition_after_its_lease(subject: &Subject) {
    if nothing_is_late(subject) || !subject.keeps_free_records() {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("late-acquire-expiry");
    let (request, _lease) = won(&one, &lock, subject.short(), Duration::ZERO).await;
    until(Instant::now() + subject.short() + subject.slack() + 4 * NOISE).await;
    must_not_be_granted(&one, &request).await;
    two.must_be_free(&lock).await;
}

/// An extension arrives after a later one, which asked for more.
pub async fn an_extension_after_a_later_one(subject: &Subject) {
    if nothing_is_late(subject) {
        return;
    }
    let one = subject.node("one").await;
    let lock = fresh("late-extend-extend");
    let (_, lease) = won(&one, &lock, subject.roomy(), Duration::ZERO).await;
    let late = kept_back(&lease);
    assert_eq!(extend(&one, &lease, LONG).await, Ownership::Ours);
    let before = subject.peek(&lock).await;
    let _either = one.provider().extend(&late, subject.short()).await;
    must_still_hold(subject, &lock, &before, subject.short()).await;
    assert_eq!(release(&one, &lease).await, Ownership::Ours);
}

/// An extension arrives twice: the second copy is answered as the first was, and moves nothing.
pub async fn an_extension_a_second_time(subject: &Subject) {
    if nothing_is_late(subject) {
        return;
    }
    let one = subject.node("one").await;
    let lock = fresh("twice-extend");
    let (_, lease) = won(&one, &lock, subject.roomy(), Duration::ZERO).await;
    let again = lease.replica();
    assert_eq!(extend(&one, &lease, LONG).await, Ownership::Ours);
    let before = subject.peek(&lock).await;
    assert_eq!(extend(&one, &again, LONG).await, Ownership::Ours);
    must_still_hold(subject, &lock, &before, Duration::ZERO).await;
    assert_eq!(release(&one, &lease).await, Ownership::Ours);
}

/// An extension arrives while `at_least` keeps the lock after the release.
pub async fn an_extension_while_at_least_lasts(subject: &Subject) {
    if nothing_is_late(subject) {
        return;
    }
    let one = subject.node("one").await;
    let lock = fresh("late-extend-at-least");
    let (_, lease) = won(&one, &lock, subject.roomy(), LONG).await;
    let late = kept_back(&lease);
    assert_eq!(release(&one, &lease).await, Ownership::Ours);
    let before = subject.peek(&lock).await;
    let _either = one.provider().extend(&late, subject.short()).await;
    must_still_hold(subject, &lock, &before, subject.short()).await;
}

/// An extension arrives after the release.
pub async fn an_extension_after_the_release(subject: &Subject) {
    if nothing_is_late(subject) {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("late-extend-release");
    let (_, lease) = won(&one, &lock, LONG, Duration::ZERO).await;
    let late = kept_back(&lease);
    assert_eq!(release(&one, &lease).await, Ownership::Ours);
    assert_eq!(extend(&one, &late, LONG).await, Ownership::Lost);
    two.must_be_free(&lock).await;
}

/// A release arrives after an extension that was sent later.
pub async fn a_release_after_a_later_extension(subject: &Subject) {
    if nothing_is_late(subject) {
        return;
    }
    let one = subject.node("one").await;
    let lock = fresh("late-release-extend");
    let (_, lease) = won(&one, &lock, LONG, Duration::ZERO).await;
    let late = kept_back(&lease);
    assert_eq!(extend(&one, &lease, LONG).await, Ownership::Ours);
    let before = subject.peek(&lock).await;
    assert_eq!(release(&one, &late).await, Ownership::Lost);
    must_still_hold(subject, &lock, &before, Duration::ZERO).await;
}

/// A release arrives twice, the second time when the lock is free: `at_least` does not begin anew.
pub async fn a_release_a_second_time(subject: &Subject) {
    if nothing_is_late(subject) {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("twice-release");
    let (_, lease) = won(&one, &lock, LONG, subject.short()).await;
    let again = lease.replica();
    assert_eq!(release(&one, &lease).await, Ownership::Ours);
    until(Instant::now() + subject.short() + subject.slack() + 4 * NOISE).await;
    let _either = one.provider().release(&again, LONG).await;
    two.must_be_free(&lock).await;
}

/// Nor does whatever arrives when somebody else holds the lock change anything.
pub async fn anything_after_the_next_holder(subject: &Subject) {
    if nothing_is_late(subject) {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("late-all");
    let (request, lease) = won(&one, &lock, LONG, Duration::ZERO).await;
    let late = kept_back(&lease);
    assert_eq!(release(&one, &lease).await, Ownership::Ours);
    let held = two.seize(&lock, LONG).await;
    let before = subject.peek(&lock).await;
    must_not_be_granted(&one, &request).await;
    assert_eq!(extend(&one, &late, LONG).await, Ownership::Lost);
    assert_eq!(release(&one, &late).await, Ownership::Lost);
    assert_eq!(release(&one, &lease).await, Ownership::Lost);
    must_still_hold(subject, &lock, &before, Duration::ZERO).await;
    two.release(&held).await;
}
