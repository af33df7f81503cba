//! A release by force frees a lock at once, and whoever held it is told.

use shedlock_runtime::Ownership;

use super::subject::{LONG, Subject, fresh};

/// A release by force frees the lock at once, once.
pub async fn a_forced_release_frees_at_once(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("forced");
    let _held = one.seize(&lock, LONG).await;
    assert!(operator.force_release(&lock, "its node is gone").await);
    assert!(!operator.force_release(&lock, "again").await, "it is free");
    two.must_be_free(&lock).await;
}

/// What the operator said can be read until somebody takes the lock.
pub async fn the_reason_is_kept_until_the_next_acquisition(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    if !subject.keeps_free_records() {
        return;
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("forced-reason");
    let _held = one.seize(&lock, LONG).await;
    assert!(operator.force_release(&lock, "its node is gone").await);
    assert!(!operator.force_release(&lock, "again").await, "it is free");
    let info = operator.get(&lock).await;
    assert!(
        !info.is_held() && !info.paused && info.node.is_empty(),
        "{info:?}"
    );
    assert_eq!(info.reason.as_deref(), Some("its node is gone"));
    two.must_be_free(&lock).await;
    assert_eq!(
        operator.get(&lock).await.reason,
        None,
        "somebody had it since"
    );
}

/// Also while `at_least` keeps it after a run that ended.
pub async fn a_forced_release_ends_at_least(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("forced-at-least");
    let held = one.seize_for(&lock, LONG, LONG).await;
    one.release(&held).await;
    two.must_be_refused(&lock).await;
    assert!(operator.force_release(&lock, "run it again").await);
    two.must_be_free(&lock).await;
}

/// The holder's release and extension come too late then, change nothing, and say so.
pub async fn the_old_holder_is_told(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("forced-late");
    let stale = one.seize_for(&lock, LONG, LONG).await;
    assert!(operator.force_release(&lock, "").await);
    // Nobody has taken it since, so only the owner can tell.
    assert_eq!(one.try_extend(&stale, LONG).await, Ownership::Lost);
    assert_eq!(
        one.try_release(&stale).await,
        Ownership::Lost,
        "the stale holder is told"
    );
    let live = two.seize(&lock, LONG).await;
    assert_eq!(one.try_extend(&stale, LONG).await, Ownership::Lost);
    assert_eq!(one.try_release(&stale).await, Ownership::Lost);
    one.must_be_refused(&lock).await;
    two.extend(&live, LONG).await;
    two.release(&live).await;
}

/// What the operator said is kept without what steers a terminal, and cut to what fits.
pub async fn the_reason_is_kept_cleaned_and_cut(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let one = subject.node("one").await;
    let lock = fresh("reason");
    let long = "é".repeat(1_000);
    for (said, kept) in [
        ("", ""),
        (
            "it's 100 % \\ \"done\"; -- `x` {name} :owner ? $1",
            "it's 100 % \\ \"done\"; -- `x` {name} :owner ? $1",
        ),
        ("a\n\u{1b}[2Jb\0", "a  [2Jb "),
        (long.as_str(), &long[..400]),
    ] {
        operator.pause(&lock, LONG, said).await;
        assert_eq!(operator.get(&lock).await.reason.as_deref(), Some(kept));
        assert!(operator.force_release(&lock, "").await);
        let _held = one.seize(&lock, LONG).await;
        assert!(operator.force_release(&lock, said).await);
        if subject.capabilities().keeps_free_records() {
            assert_eq!(operator.get(&lock).await.reason.as_deref(), Some(kept));
        }
    }
}
