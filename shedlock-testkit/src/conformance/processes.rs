//! Cases for nodes in separate operating system processes, which can be paused and killed.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::subject::{LONG, Subject, assert_kept, fresh};
use crate::processes::{NodeProcess, Reexec};

const NODES: usize = 4;
const TIMES: u32 = 40;

async fn start(subject: &Subject, nodes: &Reexec, name: &str) -> NodeProcess {
    let address = subject
        .harness()
        .address()
        .expect("a harness for several processes has an address");
    nodes
        .node(&address, name)
        .await
        .expect("a node starts in a process of its own")
}

async fn must_lock(node: &mut NodeProcess, lock: &str, at_most: Duration, at_least: Duration) {
    let granted = node
        .lock(lock, at_most, at_least)
        .await
        .expect("the store answers");
    assert!(granted, "`{lock}` is free and was refused");
}

/// A lock that one process holds is refused to all other processes until the holder gives the lock back.
pub async fn exclude_each_other(subject: &Subject, nodes: &Reexec) {
    let mut one = start(subject, nodes, "one").await;
    let mut two = start(subject, nodes, "two").await;
    let here = subject.node("here").await;
    let lock = fresh("processes");
    must_lock(&mut one, &lock, LONG, Duration::ZERO).await;
    here.must_be_refused(&lock).await;
    assert_eq!(
        two.lock(&lock, LONG, Duration::ZERO).await.ok(),
        Some(false)
    );
    assert_eq!(one.extend(&lock, LONG).await.ok(), Some(true));
    assert_eq!(one.unlock(&lock).await.ok(), Some(true));
    must_lock(&mut two, &lock, LONG, Duration::ZERO).await;
    here.must_be_refused(&lock).await;
    assert_eq!(
        one.lock(&lock, LONG, Duration::ZERO).await.ok(),
        Some(false)
    );
}

/// Of several processes that ask at once, one is granted the lock.
pub async fn one_of_many_wins(subject: &Subject, nodes: &Reexec) {
    let mut processes = Vec::new();
    for number in 0..NODES {
        processes.push(start(subject, nodes, &format!("node-{number}")).await);
    }
    for _ in 0..10 {
        let lock = fresh("processes-race");
        let answers = join_all(
            processes
                .iter_mut()
                .map(|node| node.lock(&lock, LONG, Duration::ZERO)),
        )
        .await;
        let granted = answers
            .into_iter()
            .filter(|answer| *answer.as_ref().expect("the store answers"))
            .count();
        assert_eq!(
            granted, 1,
            "`{lock}` was free and {NODES} processes asked for it"
        );
    }
}

/// A process waits until the `at_least` of another process has passed.
pub async fn honour_each_others_at_least(subject: &Subject, nodes: &Reexec) {
    let at_least = subject.short() * 2;
    let mut one = start(subject, nodes, "one").await;
    let here = subject.node("here").await;
    let lock = fresh("processes-at-least");
    let asked = Instant::now();
    must_lock(&mut one, &lock, LONG, at_least).await;
    assert_eq!(one.unlock(&lock).await.ok(), Some(true));
    assert_kept(asked, at_least, &here.seize_within(&lock, at_least).await);
}

/// A process that was killed holds its lock until the end of the lease, and not longer.
pub async fn a_killed_holder_is_succeeded_when_its_lease_ends(subject: &Subject, nodes: &Reexec) {
    let at_most = subject.roomy();
    let mut one = start(subject, nodes, "one").await;
    let here = subject.node("here").await;
    let lock = fresh("processes-killed");
    let asked = Instant::now();
    // How long a run that ended would have kept the lock counts for nothing.
    must_lock(&mut one, &lock, at_most, LONG).await;
    one.kill().await.expect("a process can be killed");
    assert_kept(asked, at_most, &here.seize_within(&lock, at_most).await);
    start(subject, nodes, "one").await;
    here.must_be_refused(&lock).await;
}

/// A process that was paused for longer than its lease finds that the lock is lost, and does not affect the next holder.
pub async fn a_paused_holder_does_no_harm_when_it_goes_on(subject: &Subject, nodes: &Reexec) {
    #[cfg(not(unix))]
    return subject.not_applicable("processes cannot be paused here");
    #[cfg(unix)]
    {
        let mut one = start(subject, nodes, "one").await;
        let here = subject.node("here").await;
        let lock = fresh("processes-paused");
        let asked = Instant::now();
        must_lock(&mut one, &lock, subject.roomy(), LONG).await;
        one.pause().expect("a process can be paused");
        let next = here.seize_within(&lock, subject.roomy()).await;
        assert_kept(asked, subject.roomy(), &next);
        one.resume().expect("a process can go on");
        assert_eq!(
            one.extend(&lock, LONG).await.ok(),
            Some(false),
            "its lease has ended"
        );
        assert_eq!(
            one.unlock(&lock).await.ok(),
            Some(false),
            "the lock is another's by now"
        );
        here.must_be_refused(&lock).await;
        here.extend(&next, LONG).await;
        here.release(&next).await;
        here.must_be_free(&lock).await;
    }
}

/// Two processes with the same node name are separate holders.
pub async fn two_processes_of_one_node_name_are_two(subject: &Subject, nodes: &Reexec) {
    let mut old = start(subject, nodes, "same").await;
    let mut new = start(subject, nodes, "same").await;
    let here = subject.node("same").await;
    let lock = fresh("processes-same-name");
    must_lock(&mut old, &lock, subject.roomy(), Duration::ZERO).await;
    assert_eq!(
        new.lock(&lock, LONG, Duration::ZERO).await.ok(),
        Some(false)
    );
    let freed = here.seize_within(&lock, subject.roomy()).await;
    here.release(&freed).await;
    must_lock(&mut new, &lock, LONG, Duration::ZERO).await;
    assert_eq!(
        old.unlock(&lock).await.ok(),
        Some(false),
        "the lock is another's by now"
    );
    here.must_be_refused(&lock).await;
    assert_eq!(new.unlock(&lock).await.ok(), Some(true));
    here.must_be_free(&lock).await;
}

/// The fuzz test of `ShedLock` for Java, run between processes, loses no update of a shared counter.
pub async fn no_two_bodies_overlap(subject: &Subject, nodes: &Reexec) {
    let mut processes = Vec::new();
    for number in 0..NODES {
        processes.push(start(subject, nodes, &format!("node-{number}")).await);
    }
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let counter = directory.path().join("counter");
    std::fs::write(&counter, "0").expect("a file can be written");
    let lock = fresh("processes-fuzz");
    let contenders = processes
        .iter_mut()
        .map(|node| node.contend(&lock, TIMES, &counter));
    for answer in join_all(contenders).await {
        answer.expect("a contender comes to its end");
    }
    let sum = std::fs::read_to_string(&counter).expect("the counter is still there");
    assert_eq!(
        sum.parse().ok(),
        u32::try_from(NODES).ok().map(|nodes| nodes * TIMES),
        "two bodies overlapped"
    );
}
