//! Cases for pruning: locks that have been free for long enough are deleted, and no other locks.

use std::cell::Cell;
use std::time::{Duration, Instant};

use shedlock_runtime::Ownership;

use super::subject::{LONG, Subject, config, fresh, until};

/// Pruning deletes only the locks that have been free for long enough.
pub async fn prune_forgets_what_has_long_been_free(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    if !subject.keeps_free_records() {
        return;
    }
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

    until(Instant::now() + age + subject.slack() + Duration::from_millis(20)).await;
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

/// Pruning does not delete a lock that is held, that `at_least` holds or that is paused.
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

/// Pruning by prefix deletes only the locks whose names begin with the bytes of the prefix.
pub async fn prune_keeps_to_its_prefix(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    if !subject.keeps_free_records() {
        return;
    }
    let one = subject.node("one").await;
    // With what some store or other takes for a wildcard or an escape.
    let stem = fresh("");
    let prefix = format!("a_é%*?\\'{stem}:");
    let ours = ["", "job", "JOB", " "].map(|rest| format!("{prefix}{rest}"));
    let others = [
        prefix.to_uppercase(),
        prefix.replace('é', "e"),
        prefix.replace('_', "b"),
        prefix.replace('%', "bc"),
        prefix.replace('*', "bc"),
        prefix.replace('?', "b"),
        prefix.replace('\\', ""),
        prefix.replace(':', "2:"),
        prefix.replace(':', ""),
        format!("b{prefix}"),
    ]
    .map(|other| format!("{other}job"));
    for lock in ours.iter().chain(&others) {
        one.must_be_free(lock).await;
    }
    let held = one.seize(&ours[1], LONG).await;
    let day = Duration::from_secs(24 * 60 * 60);
    assert_eq!(
        operator.prune_prefix(&prefix, day).await,
        0,
        "a fresh record was forgotten"
    );
    let pruned = operator.prune_prefix(&prefix, Duration::ZERO).await;
    let left = async || {
        let listed = operator.list().await.into_iter();
        listed.map(|info| info.name).collect::<Vec<_>>()
    };
    let found = left().await;
    for lock in &others {
        assert!(
            found.contains(lock),
            "{lock:?} was forgotten for {prefix:?}"
        );
    }
    for lock in &ours {
        let stays = lock == held.lease.name().as_str();
        assert_eq!(
            found.contains(lock),
            stays,
            "whether {lock:?}, which begins with {prefix:?}, stays"
        );
    }
    assert_eq!(pruned, 3, "so many were forgotten");
    one.release(&held).await;

    operator.prune_prefix("", Duration::ZERO).await;
    let found = left().await;
    let kept = others.iter().find(|lock| found.contains(lock));
    assert_eq!(kept, None, "every name begins with nothing");
}

/// A lock that pruning has deleted can be taken again.
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

/// A lock that is taken while pruning runs is not deleted.
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
            let released = one.try_release(&held).await;
            assert_eq!(
                released,
                Ownership::Ours,
                "`{lock}` is held, and was forgotten"
            );
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
