//! Cases for extensions: an extension moves the end of a live lease and changes nothing else.

use std::time::Duration;

use shedlock_runtime::{ErrorKind, Ownership};

use super::subject::{LONG, Subject, assert_kept, fresh, until};

/// An extended lock is held past its first end, and is free after its release.
pub async fn moves_the_end(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("extend");
    let held = one.seize(&lock, subject.roomy()).await;
    one.extend(&held, LONG).await;
    until(held.answered + subject.roomy() + subject.slack()).await;
    two.must_be_refused(&lock).await;
    one.release(&held).await;
    two.must_be_free(&lock).await;
}

/// A lease can be extended many times.
pub async fn works_again_and_again(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("extend-chain");
    let held = one.seize(&lock, subject.roomy()).await;
    for times in 2..5 {
        one.extend(&held, subject.roomy() * times).await;
    }
    one.extend(&held, LONG).await;
    until(held.answered + subject.roomy() + subject.slack()).await;
    two.must_be_refused(&lock).await;
    one.release(&held).await;
    two.must_be_free(&lock).await;
}

/// The new end counts from the extension, even if the new end is earlier than the old end.
pub async fn counts_from_now(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("extend-shorter");
    let mut held = one.seize(&lock, LONG).await;
    held.asked = std::time::Instant::now();
    one.extend(&held, subject.short()).await;
    let taken_over = two.seize_within(&lock, subject.short()).await;
    assert_kept(held.asked, subject.short(), &taken_over);
}

/// A released lock cannot be extended and stays free.
pub async fn after_release_is_lost(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("extend-released");
    let held = one.seize(&lock, LONG).await;
    one.release(&held).await;
    assert_eq!(
        one.try_extend(&held, LONG).await,
        Ownership::Lost,
        "a released lease cannot be extended"
    );
    two.must_be_free(&lock).await;
}

/// A lease that has ended cannot be extended, even if nobody has taken the lock since, and the lock stays free.
pub async fn after_expiry_is_lost(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("extend-expired");
    let held = one.seize(&lock, subject.short()).await;
    subject.until_ended(&[&two], &lock, subject.short()).await;
    assert_eq!(
        one.try_extend(&held, LONG).await,
        Ownership::Lost,
        "a lease that has ended cannot be extended"
    );
    two.must_be_free(&lock).await;
}

/// Extending a guard whose lease has ended returns the error "lost", and the guard then reports that it does not hold the lock.
pub async fn a_guard_whose_lease_ended_says_so(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("extend-guard");
    let mut guard = one.lock(&lock, subject.roomy(), Duration::ZERO).await;
    guard
        .extend(subject.roomy(), Duration::ZERO)
        .await
        .expect("a live lease can be extended");
    let taken_over = two.seize_within(&lock, subject.roomy()).await;
    assert!(
        !guard.is_held(),
        "the holder's own deadline comes no later than the store's"
    );
    let error = guard
        .extend(LONG, Duration::ZERO)
        .await
        .err()
        .map(|error| error.kind());
    assert_eq!(error, Some(ErrorKind::Lost));
    drop(guard);
    two.extend(&taken_over, LONG).await;
}

/// A guard that was extended in place still holds its lock after the first deadline.
pub async fn a_guard_is_extended_in_place(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("extend-in-place");
    let mut guard = one.lock(&lock, subject.roomy(), Duration::ZERO).await;
    let answered = std::time::Instant::now();
    for _ in 0..3 {
        guard
            .extend(LONG, Duration::ZERO)
            .await
            .expect("a live lease can be extended");
    }
    until(answered + subject.roomy()).await;
    assert!(guard.is_held());
    two.must_be_refused(&lock).await;
    guard.unlock().await.expect("the store answers");
    two.must_be_free(&lock).await;
}
