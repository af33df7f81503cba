//! Cases for a request that reaches the store twice, or after later requests: the request does not undo any later change.
//!
//! A network can delay a segment, and a paused server can delay a request that it has received. In the meantime, the caller asks again over
//! another connection. So any two of acquisition, extension and release can arrive in the wrong order.

use std::time::{Duration, Instant};

use shedlock_runtime::{AcquireRequest, Acquisition, Lease, Ownership};

use super::harness::Peek;
use super::node::Node;
use super::subject::{LONG, NOISE, Subject, config, fresh, until};

/// An acquisition request, and the lease that the request won.
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

/// Delivers an acquisition request again after its lease has ended: no answer may be a grant.
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

/// Skips one request of a lease, and returns a copy of the lease with which that request is delivered later.
fn kept_back(lease: &Lease) -> Lease {
    let late = lease.replica();
    let _kept_back = lease.next_write().expect("the lease has an owner");
    late
}

/// Asserts that the record is unchanged, and that another node is still refused after the time that the late request would have set.
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

/// A second copy of an acquisition that arrives after an extension does not undo the extension.
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

/// A second copy of an acquisition that arrives while `at_least` holds the lock changes nothing.
pub async fn an_acquisition_while_at_least_lasts(subject: &Subject) {
    if nothing_is_late(subject) {
        return;
    }
    let one = subject.node("one").await;
    let lock = fresh("late-acquire-at-least");
    let (request, lease) = won(&one, &lock, subject.roomy(), LONG).await;
    assert_eq!(release(&one, &lease).await, Ownership::Ours);
    let before = subject.peek(&lock).await;
    let _either = one.provider().acquire(&request).await;
    must_still_hold(subject, &lock, &before, subject.roomy()).await;
}

/// A second copy of an acquisition that arrives after the release does not take the lock again.
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

/// A second copy of an acquisition that arrives after the end of the lease does not take the lock again.
pub async fn an_acquisition_after_its_lease(subject: &Subject) {
    if nothing_is_late(subject) || !subject.keeps_free_records() {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("late-acquire-expiry");
    let (request, _lease) = won(&one, &lock, subject.short(), Duration::ZERO).await;
    subject.until_ended(&[&two], &lock, subject.short()).await;
    must_not_be_granted(&one, &request).await;
    two.must_be_free(&lock).await;
}

/// An extension that arrives after a later and longer extension does not shorten the lease.
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

/// An extension that arrives twice is answered the same way both times, and the second copy changes nothing.
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

/// An extension that arrives while `at_least` holds the lock after the release changes nothing.
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

/// An extension that arrives after the release does not take the lock again.
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

/// A release that arrives after an extension that was sent later does not free the lock.
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

/// A release that arrives a second time, when the lock is free, does not start `at_least` again.
pub async fn a_release_a_second_time(subject: &Subject) {
    if nothing_is_late(subject) {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("twice-release");
    let (_, lease) = won(&one, &lock, LONG, subject.short()).await;
    let again = lease.replica();
    assert_eq!(release(&one, &lease).await, Ownership::Ours);
    subject.until_ended(&[&two], &lock, subject.short()).await;
    let _either = one.provider().release(&again, LONG).await;
    two.must_be_free(&lock).await;
}

/// An acquisition, an extension or a release that arrives while another node holds the lock changes nothing.
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
