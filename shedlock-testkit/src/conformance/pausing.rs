//! Cases for pausing: every node skips a lock that an operator has paused, until the pause ends or the operator ends the pause.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use shedlock_runtime::{ErrorKind, LockError, LockingTaskExecutor, Outcome, Ownership, SkipReason};

use super::fault::StoreFault;
use super::subject::{LONG, Subject, assert_kept, config, fresh, soon, until};

/// Every node, even a new one, skips a free lock that is paused, and reports the lock as paused.
pub async fn a_paused_lock_is_skipped_by_every_node(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("paused");
    one.must_be_free(&lock).await;
    operator.pause(&lock, LONG, "upkeep").await;
    let late = subject.node("late").await;
    for node in [&one, &two, &late, &one] {
        node.must_be_paused(&lock).await;
    }
}

/// A lock that nobody has ever taken can be paused.
pub async fn an_unknown_lock_can_be_paused(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("paused-unknown");
    operator.pause(&lock, LONG, "not before monday").await;
    one.must_be_paused(&lock).await;
    two.must_be_paused(&lock).await;
    assert!(operator.resume(&lock).await);
    two.must_be_free(&lock).await;
}

/// The holder of a lock loses the lock to a pause, learns of the loss at its next extension or release, and does not end the pause.
pub async fn a_pause_takes_the_lock_from_its_holder(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("paused-held");
    let held = one.seize(&lock, LONG).await;
    operator.pause(&lock, LONG, "stop").await;
    assert_eq!(
        one.try_extend(&held, LONG).await,
        Ownership::Lost,
        "the holder is told"
    );
    assert_eq!(
        one.try_release(&held).await,
        Ownership::Lost,
        "the holder is told"
    );
    one.must_be_paused(&lock).await;
    two.must_be_paused(&lock).await;

    assert!(operator.resume(&lock).await);
    let mut guard = one.lock(&lock, LONG, Duration::ZERO).await;
    operator.pause(&lock, LONG, "stop").await;
    let lost = guard.extend(LONG, Duration::ZERO).await;
    assert_eq!(lost.err().map(|error| error.kind()), Some(ErrorKind::Lost));
    drop(guard);
    two.must_be_paused(&lock).await;
}

/// A task under a paused lock does not run, and the caller learns that the lock is paused.
pub async fn the_caller_is_told_why(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let one = subject.node("one").await;
    let lock = fresh("paused-task");
    operator.pause(&lock, LONG, "upkeep").await;
    let config = config(&lock, LONG, Duration::ZERO);
    let never = async { panic!("the task ran") as () };
    let outcome = LockingTaskExecutor::new(Arc::clone(one.provider()))
        .execute(config, never)
        .await;
    assert!(
        matches!(outcome, Ok(Outcome::Skipped(SkipReason::Paused))),
        "{outcome:?}"
    );
}

/// A pause ends at its time and not later, and every attempt before that time is refused as paused.
pub async fn a_pause_ends_by_itself(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let (one, two) = subject.two_nodes().await;
    for known in [false, true] {
        let lock = fresh("pause-ends");
        if known {
            one.must_be_free(&lock).await;
        }
        let length = subject.roomy();
        let asked = operator.pause(&lock, length, "a moment").await;
        two.must_be_paused(&lock).await;
        let next = one.seize_within(&lock, length).await;
        assert_kept(asked, length, &next);
        two.must_be_refused(&lock).await;
        one.release(&next).await;
        two.must_be_free(&lock).await;
    }
}

/// A pause that has ended cannot be resumed or released by force, and its lock is reported as free.
pub async fn a_pause_that_is_over_is_none(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let one = subject.node("one").await;
    let lock = fresh("pause-over");
    let length = subject.roomy();
    operator.pause(&lock, length, "a moment").await;
    let held = one.seize_within(&lock, length).await;
    one.release(&held).await;
    // And one that nobody has taken the lock after.
    let asked = operator.pause(&lock, length, "a moment").await;
    let mut seen = asked;
    if subject.ends_by_observation() {
        assert!(operator.get(&lock).await.paused);
        one.must_be_paused(&lock).await;
        seen = Instant::now();
    }
    until(seen + length + subject.slack() * 2).await;
    until(Instant::now() + Duration::from_millis(50)).await;
    if let Some(info) = operator.find_free(&lock, subject).await {
        let reason = info.reason.as_deref();
        assert_eq!(reason, Some("a moment"), "who had the last word");
    }
    assert!(!operator.resume(&lock).await);
    assert!(!operator.force_release(&lock, "").await);
    one.must_be_free(&lock).await;
}

/// A second pause replaces the first, no matter which of the two ends later.
pub async fn a_second_pause_replaces_the_first(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let one = subject.node("one").await;
    let lock = fresh("pause-twice");
    operator.pause(&lock, LONG, "first").await;
    let length = subject.roomy();
    let asked = operator.pause(&lock, length, "second").await;
    let info = operator.get(&lock).await;
    assert_eq!(info.reason.as_deref(), Some("second"));
    let next = one.seize_within(&lock, length).await;
    assert_kept(asked, length, &next);
}

/// An operator sees a paused lock as paused, with its reason and end, and without a holder.
pub async fn a_pause_is_shown(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let one = subject.node("one").await;
    let lock = fresh("pause-shown");
    let held = one.seize(&lock, LONG * 2).await;
    // So that the start of the lease is not taken for the pause's.
    until(held.answered + Duration::from_millis(300)).await;
    let before = operator.utc();
    operator.pause(&lock, LONG, "moving the mail server").await;
    let after = operator.utc();
    let listed = operator.list().await.into_iter();
    for info in listed
        .filter(|info| info.name == lock)
        .chain([operator.get(&lock).await])
    {
        assert!(info.paused && info.is_held(), "{info:?}");
        assert_eq!(info.node, "", "nobody holds it");
        assert_eq!(info.reason.as_deref(), Some("moving the mail server"));
        operator.assert_between("the start", info.since, before, after);
        operator.assert_between("the end", info.until, before + LONG, after + LONG);
        operator.assert_remaining(&info, before, LONG);
        let (shown, token) = (info.fencing_token, held.lease.fencing_token());
        assert!(
            subject.is_shown(shown, token),
            "a pause keeps the token: {shown:?} after {token:?}"
        );
    }
}

/// Attempts to take a paused lock do not change the pause.
pub async fn attempts_leave_a_pause_as_it_is(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("pause-kept");
    one.must_be_free(&lock).await;
    operator.pause(&lock, LONG, "upkeep").await;
    let before = operator.get(&lock).await;
    let raw = subject.peek(&lock).await;
    for node in [&one, &two, &one, &two] {
        node.must_be_paused(&lock).await;
    }
    assert_eq!(
        subject.peek(&lock).await,
        raw,
        "an attempt has changed the record"
    );
    let after = operator.get(&lock).await;
    // Stores without a time of day of their own reckon it anew each time.
    let near = |a: Option<SystemTime>, b: Option<SystemTime>| {
        let apart = a
            .max(b)
            .zip(a.min(b))
            .map(|(late, early)| late.duration_since(early));
        a.is_some() == b.is_some()
            && apart.is_none_or(|apart| apart.unwrap_or_default() < Duration::from_millis(50))
    };
    assert!(
        near(before.since, after.since) && near(before.until, after.until),
        "{before:?} {after:?}"
    );
    assert_eq!(
        (before.fencing_token, before.reason),
        (after.fencing_token, after.reason)
    );
}

/// A pause whose end is in the past or too far in the future is refused before the provider asks the store.
pub async fn an_impossible_pause_never_reaches_the_store(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let one = subject.node("one").await;
    let lock = fresh("pause-impossible");
    let held = one.seize(&lock, LONG).await;
    // A store that says nothing shows who asks it.
    let silent = subject.harness().inject(StoreFault::Stall).await;
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    let now = operator.utc();
    for end in [now, now - year, UNIX_EPOCH, now + year * 101] {
        let refused = soon("an answer", operator.admin().pause(&lock, end, "")).await;
        let error: LockError = match refused {
            Err(error) => error,
            Ok(()) => panic!("a pause until {end:?} was accepted"),
        };
        assert_eq!(error.kind(), ErrorKind::InvalidDuration, "{error:?}");
        assert_eq!(error.lock(), Some(lock.as_str()));
    }
    if silent {
        subject.harness().end_faults().await;
    }
    one.extend(&held, LONG).await;
    one.release(&held).await;
}
