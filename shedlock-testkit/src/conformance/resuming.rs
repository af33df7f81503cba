//! Cases for ending a pause before its time.

use super::subject::{LONG, Subject, fresh};

/// An operator can end a pause at once, and a second attempt finds no pause to end.
pub async fn resume_frees_at_once(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("resumed");
    operator.pause(&lock, LONG, "upkeep").await;
    one.must_be_paused(&lock).await;
    assert!(operator.resume(&lock).await);
    assert!(!operator.resume(&lock).await, "there is no pause any more");
    operator.find_free(&lock, subject).await;
    let held = two.seize(&lock, LONG).await;
    one.must_be_refused(&lock).await;
    two.release(&held).await;
}

/// Resuming a lock that is not paused does nothing, and a held lock stays held.
pub async fn resume_leaves_a_held_lock_alone(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    // A name that only begins as a pause does, but for its case, is a node's.
    for name in ["one", "PAUSED: not", "paused: not", "paused"] {
        let (node, two) = (subject.node(name).await, subject.node("two").await);
        let lock = fresh("resume-held");
        let held = node.seize_for(&lock, LONG, LONG).await;
        assert!(!operator.resume(&lock).await, "nobody has paused it");
        two.must_be_refused(&lock).await;
        node.extend(&held, LONG).await;
        assert!(!operator.get(&lock).await.paused);
        node.release(&held).await;
        assert!(!operator.resume(&lock).await, "nor what `at_least` keeps");
        two.must_be_refused(&lock).await;
    }
}

/// A paused lock can also be released by force, and is then not paused.
pub async fn a_paused_lock_can_be_released_by_force(subject: &Subject) {
    let Some(operator) = subject.operator().await else {
        return;
    };
    let one = subject.node("one").await;
    let lock = fresh("pause-forced");
    operator.pause(&lock, LONG, "upkeep").await;
    assert!(operator.force_release(&lock, "enough").await);
    if let Some(info) = operator.find_free(&lock, subject).await {
        assert_eq!(info.reason.as_deref(), Some("enough"));
    }
    assert!(!operator.resume(&lock).await);
    one.must_be_free(&lock).await;
}
