//! Cases for a forced release: the lock is free at once, and the previous holder learns of its loss at its next call.

use shedlock_runtime::Ownership;

use super::subject::{LONG, Subject, fresh};

/// A forced release frees the lock at once, and a second forced release finds nothing to free.
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

/// The operator's reason can be read until the next acquisition of the lock.
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

/// A forced release also frees a lock that `at_least` holds after a run has ended.
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

/// After a forced release, the old holder's extension and release return `Lost` and change nothing.
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

/// The operator's reason is stored without control characters, and is truncated to the length that fits.
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
