//! Locks that nobody uses are forgotten, and no others.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::subject::{LONG, Subject, config, fresh, until};

/// Only locks that have been free for long enough are forgotten.
pub async fn prune_forgets_what_has_long_been_free(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let one = subject.node("one").await;
    let (old, young) = (fresh("old"), fresh("young"));
    let age = Duration::from_secs(1);
    one.must_be_free(&old).await;
    operator.prune(Duration::from_secs(24 * 60 * 60)).await;
    operator.prune(Duration::MAX).await;
    assert!(
        operator.find(&old).await.is_some(),
        "a fresh record was forgotten"
    );

    until(Instant::now() + age + subject.capabilities().slack + Duration::from_millis(20)).await;
    let young_at = Instant::now();
    one.must_be_free(&young).await;
    assert!(operator.prune(age).await >= 1, "an old record was there");
    let pruned_within = young_at.elapsed();
    assert_eq!(operator.find(&old).await, None);
    if pruned_within < age {
        assert!(
            operator.find(&young).await.is_some(),
            "a fresh record was forgotten"
        );
    }
    operator.prune(Duration::ZERO).await;
    assert_eq!(operator.find(&young).await, None);
    assert_eq!(operator.find(&old).await, None);
}

/// None that is held, kept by `at_least` or paused is.
pub async fn prune_spares_what_is_taken(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let (one, two) = subject.two_nodes().await;
    let [held, kept, paused] = ["held", "kept", "paused"].map(fresh);
    let holder = one.seize(&held, LONG).await;
    let ended = one.seize_for(&kept, LONG, LONG).await;
    one.release(&ended).await;
    operator.pause(&paused, LONG, "upkeep").await;
    for _ in 0..2 {
        operator.prune(Duration::ZERO).await;
        two.must_be_refused(&held).await;
        two.must_be_refused(&kept).await;
        two.must_be_paused(&paused).await;
    }
    one.extend(&holder, LONG).await;
    one.release(&holder).await;
}

/// A lock that was forgotten can be taken as ever.
pub async fn a_forgotten_lock_can_be_taken(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("forgotten");
    for _ in 0..3 {
        let held = one.seize(&lock, LONG).await;
        two.must_be_refused(&lock).await;
        one.release(&held).await;
        operator.prune(Duration::ZERO).await;
        assert!(!operator.list().await.iter().any(|info| info.name == lock));
    }
    two.must_be_free(&lock).await;
}

/// A lock that is taken while others are being forgotten stays.
pub async fn prune_comes_between_no_acquisition(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("prune-race");
    let pruned = Cell::new(0);
    let rounds = async {
        let mut rounds = 0;
        while rounds < 40 || pruned.get() < 40 {
            let held = one.seize_when_free(&lock).await;
            for _ in 0..3 {
                let second = two.try_seize(config(&lock, LONG, Duration::ZERO)).await;
                assert!(
                    second.is_err(),
                    "`{lock}` is held, and was granted to another"
                );
            }
            one.release(&held).await;
            rounds += 1;
            // In memory nothing else gives the others a turn.
            tokio::task::yield_now().await;
        }
    };
    let pruning = async {
        loop {
            operator.prune(Duration::ZERO).await;
            pruned.set(pruned.get() + 1);
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = rounds => {}
        never = pruning => never,
    }
}
