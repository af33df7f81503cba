//! Cases for the basic promise of a lock: one holder at a time, until the holder releases the lock or the lease ends.

use std::time::Duration;

use super::subject::{LONG, Subject, assert_kept, config, fresh};

/// A lock can be taken, is then refused to other nodes, and is free after its release.
pub async fn is_taken_and_given_back(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("basic");
    let held = one.seize(&lock, LONG).await;
    assert_eq!(held.lease.name().as_str(), lock);
    two.must_be_refused(&lock).await;
    one.release(&held).await;
    two.must_be_free(&lock).await;
}

/// The node that holds a lock cannot take the lock a second time.
pub async fn is_not_reentrant(subject: &Subject) {
    let one = subject.node("one").await;
    let lock = fresh("reentrant");
    let held = one.seize(&lock, LONG).await;
    one.must_be_refused(&lock).await;
    one.release(&held).await;
    one.must_be_free(&lock).await;
}

/// Two locks with different names do not affect each other.
pub async fn two_names_are_two_locks(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let (a, b) = (fresh("a"), fresh("b"));
    let held_a = one.seize(&a, LONG).await;
    let held_b = two.seize(&b, LONG).await;
    one.release(&held_a).await;
    one.must_be_refused(&b).await;
    two.must_be_free(&a).await;
    two.release(&held_b).await;
    one.must_be_free(&b).await;
}

/// A lock is free at once after each of many releases, with one and the same configuration.
pub async fn is_free_at_once_after_each_release(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("again");
    let config = config(&lock, LONG, Duration::ZERO);
    for round in 0..10 {
        let node = if round % 3 == 0 { &two } else { &one };
        let held = match node.try_seize(config.clone()).await {
            Ok(held) => held,
            Err(refusal) => {
                panic!("round {round}: `{lock}` was released and is refused: {refusal:?}")
            }
        };
        assert!(
            one.try_seize(config.clone()).await.is_err(),
            "round {round}: granted twice"
        );
        node.release(&held).await;
    }
}

/// The guard that users hold takes the lock and gives the lock back.
pub async fn the_guard_takes_and_gives_back(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("guard");
    let guard = one.lock(&lock, LONG, Duration::ZERO).await;
    assert_eq!(guard.name().as_str(), lock);
    assert!(guard.is_held());
    two.must_be_refused(&lock).await;
    let released = guard.unlock().await.expect("the store answers");
    assert_eq!(released, shedlock_runtime::Ownership::Ours);
    two.must_be_free(&lock).await;
}

/// A lease that nobody releases ends at its time: not earlier, and not much later.
pub async fn ends_after_at_most(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("expiry");
    let held = one.seize(&lock, subject.short()).await;
    let taken_over = two.seize_within(&lock, subject.short()).await;
    assert_kept(held.asked, subject.short(), &taken_over);
    one.must_be_refused(&lock).await;
    two.release(&taken_over).await;
    one.must_be_free(&lock).await;
}

/// A lease is as long as requested, even if the lock had longer leases before.
pub async fn a_past_lease_does_not_linger(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("past");
    let long = one.seize(&lock, LONG).await;
    one.release(&long).await;
    let short = one.seize(&lock, subject.short()).await;
    let taken_over = two.seize_within(&lock, subject.short()).await;
    assert_kept(short.asked, subject.short(), &taken_over);
}

/// A node that starts later sees the locks that other nodes hold.
pub async fn a_new_node_sees_what_others_did(subject: &Subject) {
    let one = subject.node("one").await;
    let lock = fresh("late");
    let held = one.seize(&lock, LONG).await;
    let late = subject.node("late").await;
    late.must_be_refused(&lock).await;
    one.release(&held).await;
    let later = subject.node("later").await;
    later.must_be_free(&lock).await;
    late.must_be_free(&lock).await;
}

/// The longest lease that the provider allows is held without overflow, and its lock can be released.
pub async fn the_longest_lease_is_held(subject: &Subject) {
    let longest = subject.capabilities().longest_lease();
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("longest");
    let config = config(&lock, longest, Duration::ZERO);
    // A store may refuse what it cannot keep; what it grants, it keeps.
    match one.provider().acquire(&one.request(config)).await {
        Ok(acquired) => {
            let lease = acquired
                .granted()
                .unwrap_or_else(|| panic!("`{lock}` is free and was refused"));
            two.must_be_refused(&lock).await;
            let released = one.provider().release(&lease, Duration::ZERO).await;
            assert!(released.is_ok(), "the release failed: {released:?}");
        }
        Err(error) => {
            let kind = error.kind();
            assert_eq!(
                kind,
                shedlock_runtime::ErrorKind::InvalidDuration,
                "a lease too long is a typed error: {error:?}"
            );
        }
    }
    two.must_be_free(&lock).await;
}

/// A free record that another implementation of ShedLock left behind can be taken.
pub async fn a_foreign_record_is_taken_over(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("foreign");
    if !subject.harness().insert_foreign(&lock).await {
        return subject.not_applicable("the harness cannot write a foreign record");
    }
    let held = one.seize(&lock, LONG).await;
    two.must_be_refused(&lock).await;
    one.release(&held).await;
    two.must_be_free(&lock).await;
}
