//! Cases for ownership: a lock belongs to one acquisition, and not to a host, a process or an earlier holder.

use std::time::Duration;

use shedlock_runtime::Ownership;

use super::harness::Peek;
use super::node::{Held, Node};
use super::subject::{LONG, Subject, config, fresh};

/// Two nodes, and a lock that the first node held until its lease ended and that the second node holds now.
async fn succession(
    subject: &Subject,
    lock: &str,
    names: [&str; 2],
    at_least: Duration,
) -> (Node, Held, Node, Held) {
    let (old, new) = (subject.node(names[0]).await, subject.node(names[1]).await);
    let stale = old.seize_for(lock, subject.short(), at_least).await;
    let live = new.seize_within(lock, subject.short()).await;
    (old, stale, new, live)
}

/// Asserts that the new holder's lock is unchanged: refused to others, extendable and releasable.
async fn assert_untouched(subject: &Subject, lock: &str, before: &Peek, new: &Node, live: &Held) {
    assert_eq!(
        &subject.peek(lock).await,
        before,
        "a stale holder must not change the new holder's record"
    );
    let third = subject.node("three").await;
    third.must_be_refused(lock).await;
    new.extend(live, LONG).await;
    third.must_be_refused(lock).await;
    new.release(live).await;
    third.must_be_free(lock).await;
}

/// A release after the end of the lease does not free the next holder's lock, and reports that the lock was lost.
pub async fn a_late_release_frees_nothing(subject: &Subject) {
    let lock = fresh("aba-release");
    let (old, stale, new, live) = succession(subject, &lock, ["one", "two"], Duration::ZERO).await;
    let before = subject.peek(&lock).await;
    assert_eq!(
        old.try_release(&stale).await,
        Ownership::Lost,
        "the stale holder is told"
    );
    assert_untouched(subject, &lock, &before, &new, &live).await;
}

/// A release after the end of the lease does not hold the lock for `at_least`.
pub async fn a_late_release_keeps_nothing(subject: &Subject) {
    let lock = fresh("aba-at-least");
    let (old, stale, new, live) = succession(subject, &lock, ["one", "two"], LONG).await;
    let before = subject.peek(&lock).await;
    assert_eq!(
        old.try_release(&stale).await,
        Ownership::Lost,
        "the stale holder is told"
    );
    assert_untouched(subject, &lock, &before, &new, &live).await;
}

/// An extension after the end of the lease changes nothing, and reports that the lock was lost.
pub async fn a_late_extension_changes_nothing(subject: &Subject) {
    let lock = fresh("aba-extend");
    let (old, stale, new, live) = succession(subject, &lock, ["one", "two"], Duration::ZERO).await;
    let before = subject.peek(&lock).await;
    assert_eq!(
        old.try_extend(&stale, LONG).await,
        Ownership::Lost,
        "the stale holder is told"
    );
    assert_eq!(
        old.try_extend(&stale, Duration::from_millis(1)).await,
        Ownership::Lost,
        "the stale holder is told"
    );
    assert_untouched(subject, &lock, &before, &new, &live).await;
}

/// Two programs with the same node name on one host are separate holders.
pub async fn two_nodes_of_one_name_are_two(subject: &Subject) {
    let lock = fresh("aba-same-name");
    let (old, stale, new, live) =
        succession(subject, &lock, ["same", "same"], Duration::ZERO).await;
    let before = subject.peek(&lock).await;
    assert_eq!(
        old.try_extend(&stale, LONG).await,
        Ownership::Lost,
        "the stale holder is told"
    );
    assert_eq!(
        old.try_release(&stale).await,
        Ownership::Lost,
        "the stale holder is told"
    );
    assert_untouched(subject, &lock, &before, &new, &live).await;
}

/// Two acquisitions by one node are separate holders.
pub async fn two_runs_of_one_node_are_two(subject: &Subject) {
    let lock = fresh("aba-same-node");
    let node = subject.node("one").await;
    let stale = node.seize(&lock, subject.short()).await;
    let live = node.seize_within(&lock, subject.short()).await;
    let before = subject.peek(&lock).await;
    assert_eq!(
        node.try_extend(&stale, LONG).await,
        Ownership::Lost,
        "the stale run is told"
    );
    assert_eq!(
        node.try_release(&stale).await,
        Ownership::Lost,
        "the stale run is told"
    );
    assert_untouched(subject, &lock, &before, &node, &live).await;
}

/// Dropping a guard after the end of its lease does not affect the next holder.
pub async fn a_late_guard_is_dropped_without_harm(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("aba-guard");
    let guard = one.lock(&lock, subject.roomy(), LONG).await;
    let live = two.seize_within(&lock, subject.roomy()).await;
    let before = subject.peek(&lock).await;
    let released = guard.unlock().await.expect("the store answers");
    assert_eq!(
        released,
        Ownership::Lost,
        "the guard says that it was too late"
    );
    assert_untouched(subject, &lock, &before, &two, &live).await;
}

/// A second release of the same lease, as after a lost reply, does not affect anyone.
pub async fn a_second_release_harms_nobody(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("release-twice");
    let held = one.seize(&lock, LONG).await;
    one.release(&held).await;
    let _either = one.try_release(&held).await;
    let next = two.seize(&lock, LONG).await;
    assert_eq!(
        one.try_release(&held).await,
        Ownership::Lost,
        "the lock is another's by now"
    );
    one.must_be_refused(&lock).await;
    two.release(&next).await;
}

/// The same acquisition request sent again, as after a lost reply, is granted again.
pub async fn a_repeated_attempt_is_granted(subject: &Subject) {
    if subject.harness().answers_at_once() {
        return subject.not_applicable("no reply can be lost");
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("repeated");
    let attempt = one.request(config(&lock, LONG, Duration::ZERO));
    for _ in 0..2 {
        let answer = one.provider().acquire(&attempt).await;
        let lease = answer.expect("the store answers").granted();
        let lease = lease.unwrap_or_else(|| {
            panic!("an attempt that has won must be told so when it asks again")
        });
        two.must_be_refused(&lock).await;
        assert_eq!(lease.owner(), attempt.grant(None).owner());
    }
    let lease = attempt.grant(None);
    let released = one.provider().release(&lease, Duration::ZERO).await.ok();
    assert_eq!(released, Some(Ownership::Ours));
    two.must_be_free(&lock).await;
}

/// A node that is refused a held lock does not change the record.
pub async fn a_refused_attempt_writes_nothing(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("refused");
    let _held = one.seize(&lock, LONG).await;
    let before = subject.peek(&lock).await;
    if before == Peek::Unsupported {
        return subject.not_applicable("the harness cannot look into the store");
    }
    for _ in 0..3 {
        two.must_be_refused(&lock).await;
    }
    assert_eq!(subject.peek(&lock).await, before);
}

/// The stored owner is the node name, `#` and 128 random bits, which differ for each acquisition.
pub async fn the_stored_owner_names_node_and_acquisition(subject: &Subject) {
    let node = subject.node("node-7").await;
    let lock = fresh("stored-owner");
    let mut seen = Vec::new();
    for _ in 0..2 {
        let held = node.seize(&lock, LONG).await;
        let owner = match subject.peek(&lock).await {
            Peek::Found(stored) => stored.owner,
            Peek::Unsupported => None,
            Peek::Absent => panic!("`{lock}` is held and the store has no record of it"),
        };
        let Some(owner) = owner else {
            return subject.not_applicable(
                "the harness cannot look into the store, or the store keeps no owner",
            );
        };
        let secret = owner
            .strip_prefix("node-7#")
            .unwrap_or_else(|| panic!("`{owner}` does not begin with `node-7#`"));
        assert!(
            secret.len() >= 32 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "`{secret}` is not 128 bits"
        );
        assert!(!seen.contains(&owner), "two acquisitions have one owner");
        seen.push(owner);
        node.release(&held).await;
    }
}

/// No output shows the random part of the owner, with which anyone could release the lock.
pub async fn the_random_part_is_never_shown(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("secret");
    let held = one.seize(&lock, LONG).await;
    let Some(owner) = held.lease.owner().map(shedlock_runtime::Owner::stored) else {
        return subject.not_applicable("the provider keeps no owner");
    };
    let (_, secret) = owner
        .rsplit_once('#')
        .unwrap_or_else(|| panic!("the owner has no random part"));
    let refusal = two
        .try_seize(config(&lock, LONG, Duration::ZERO))
        .await
        .err();
    let shown = format!(
        "{:?} {:?} {refusal:?} {:?}",
        held.lease,
        held.lease.owner(),
        one.provider()
    );
    assert!(
        !shown.contains(secret),
        "the random part is shown in: {}",
        shown.replace(secret, "<here>")
    );
    one.release(&held).await;
}
