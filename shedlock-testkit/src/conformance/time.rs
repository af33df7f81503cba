//! Cases for time: whose clock decides when a lease ends, and from when the holder counts its lease.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{ErrorKind, Expiry, LockProviderExt as _, Operation};

use super::node::Node;
use super::subject::{LONG, NOISE, Subject, assert_kept, config, fresh};

/// How long an answer is delayed: far longer than a busy machine takes from one reading of a clock to the next.
const SLOW: Duration = Duration::from_secs(1);

/// The holder's deadline counts from before the request was sent, so that a slow reply shortens only the holder's time.
pub async fn the_holder_counts_from_before_it_asked(subject: &Subject) {
    let provider = subject.harness().node("one").await;
    Node::from_provider(Arc::clone(&provider)).warm_up().await;
    let faulty = FaultyProvider::new(provider);
    for fault in [None, Some(Fault::Delay(SLOW))] {
        if let Some(fault) = fault {
            faulty.next(Operation::Acquire, fault);
        }
        let asked = Instant::now();
        let guard = faulty
            .try_lock(config(&fresh("deadline"), LONG, Duration::ZERO))
            .await;
        let guard = guard.ok().flatten().expect("the lock is free");
        // Read before the clock: what is left can only have become less by then.
        let remaining = guard.remaining().unwrap_or_default();
        let since = asked.elapsed();
        assert!(remaining <= LONG, "the lease is not longer than was asked");
        // The runtime reads its clock a moment after we have read ours.
        assert!(
            remaining + since <= LONG + SLOW / 2,
            "{remaining:?} are left after {since:?} of {LONG:?} with {fault:?}"
        );
    }
}

/// The deadline after an extension counts from before the extension was sent.
pub async fn an_extension_counts_from_before_it_was_asked(subject: &Subject) {
    let provider = subject.harness().node("one").await;
    Node::from_provider(Arc::clone(&provider)).warm_up().await;
    let faulty = FaultyProvider::new(provider);
    let guard = faulty
        .try_lock(config(&fresh("extended-deadline"), LONG, Duration::ZERO))
        .await;
    let mut guard = guard.ok().flatten().expect("the lock is free");
    faulty.next(Operation::Extend, Fault::Delay(SLOW));
    let asked = Instant::now();
    guard
        .extend(LONG, Duration::ZERO)
        .await
        .expect("a live lease can be extended");
    let remaining = guard.remaining().unwrap_or_default();
    let since = asked.elapsed();
    assert!(since >= SLOW, "the fault did not happen");
    assert!(
        remaining + since <= LONG + SLOW / 2,
        "{remaining:?} are left after {since:?} of {LONG:?}"
    );
}

/// The holder's deadline is no later than the moment at which the store grants the lock to another node.
pub async fn the_holder_stops_before_another_starts(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    for _ in 0..2 {
        let lock = fresh("handover");
        let asked = Instant::now();
        let guard = one.lock(&lock, subject.roomy(), Duration::ZERO).await;
        let deadline = Instant::now() + guard.remaining().unwrap_or_default();
        let next = two.seize_within(&lock, subject.roomy()).await;
        assert!(
            !guard.is_held(),
            "the first holder believes that it still holds the lock"
        );
        assert!(
            deadline <= next.answered + NOISE,
            "the first holder's deadline is after the second one's grant"
        );
        assert_kept(asked, subject.roomy(), &next);
    }
}

/// A node whose clock is ahead cannot take a live lock, and a node whose clock is behind can take a lock whose lease has ended.
pub async fn a_wrong_clock_changes_nothing(subject: &Subject) {
    if subject.capabilities().expiry() == Expiry::ByClientClock {
        return subject.not_applicable("the nodes' clocks decide, as the documentation says");
    }
    let right = subject.node("right").await;
    for ahead in [true, false] {
        let Some(wrong) = subject
            .harness()
            .node_with_wrong_clock("wrong", ahead)
            .await
        else {
            return subject.not_applicable("the harness cannot set a node's clock");
        };
        let wrong = Node::from_provider(wrong);
        let lock = fresh("clock");
        let held = right.seize(&lock, LONG).await;
        wrong.must_be_refused(&lock).await;
        right.release(&held).await;

        let held = wrong.seize(&lock, LONG).await;
        right.must_be_refused(&lock).await;
        wrong.extend(&held, LONG).await;
        right.must_be_refused(&lock).await;
        wrong.release(&held).await;
        right.must_be_free(&lock).await;

        let held = right.seize(&lock, subject.short()).await;
        let next = wrong.seize_within(&lock, subject.short()).await;
        assert_kept(held.asked, subject.short(), &next);
        right.must_be_refused(&lock).await;
        wrong.release(&next).await;

        let held = wrong.seize(&lock, subject.short()).await;
        let next = right.seize_within(&lock, subject.short()).await;
        assert_kept(held.asked, subject.short(), &next);

        let lock = fresh("clock-at-least");
        let held = wrong.seize_for(&lock, LONG, subject.roomy()).await;
        wrong.release(&held).await;
        let next = right.seize_within(&lock, subject.roomy()).await;
        assert_kept(held.asked, subject.roomy(), &next);
    }
}

/// The store does not shorten a lease by rounding it to its own unit, such as whole milliseconds or seconds.
pub async fn fractions_are_not_cut_off(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let at_most = subject.short() + Duration::from_nanos(999_999);
    // Begun at all parts of a second, most of them would lose much of it.
    let leases = (0..9).map(|number| {
        let (one, two) = (&one, &two);
        async move {
            tokio::time::sleep(Duration::from_millis(37) * number).await;
            let lock = fresh("fraction");
            let held = one.seize(&lock, at_most).await;
            assert_kept(held.asked, at_most, &two.seize_within(&lock, at_most).await);
        }
    });
    join_all(leases).await;
}

/// A lease outside the limits that the provider declares is refused before the provider asks the store.
pub async fn a_lease_beyond_the_limits_never_reaches_the_store(subject: &Subject) {
    let capabilities = subject.capabilities();
    let (shortest, longest) = (capabilities.shortest_lease(), capabilities.longest_lease());
    let (least, most) = (
        Duration::from_millis(1),
        Duration::from_secs(36_500 * 24 * 60 * 60),
    );
    if shortest <= least && longest >= most {
        return subject.not_applicable("the provider takes every lease that the runtime takes");
    }
    let counted = FaultyProvider::new(subject.harness().node("one").await);
    let below = shortest.saturating_sub(Duration::from_nanos(1)).max(least);
    let above = longest.saturating_add(Duration::from_nanos(1)).min(most);
    for at_most in [below, above] {
        if (shortest..=longest).contains(&at_most) {
            continue;
        }
        let config = config(&fresh("limits"), at_most, Duration::ZERO);
        match counted.try_lock(config).await {
            Ok(_) => panic!("a lease of {at_most:?} was taken to the store"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidDuration, "{error:?}"),
        }
    }
    assert_eq!(counted.calls(Operation::Acquire), 0);
}
