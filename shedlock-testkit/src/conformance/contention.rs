//! Cases for many nodes that ask for the same lock at the same moment: one node is granted the lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use shedlock_runtime::{LockingTaskExecutor, Outcome, SkipReason};

use super::node::{Held, Node};
use super::subject::{LONG, Subject, config, fresh};

const NODES: usize = 4;
const CONTENDERS: usize = 16;
const ROUNDS: usize = 10;

async fn nodes(subject: &Subject) -> Vec<Node> {
    let mut nodes = Vec::new();
    for number in 0..NODES {
        nodes.push(subject.node(&format!("node-{number}")).await);
    }
    nodes
}

/// Lets all contenders ask at once, and returns the one that was granted the lock.
async fn race(nodes: &[Node], lock: &str, at_most: Duration) -> (Node, Held) {
    let start = Arc::new(tokio::sync::Barrier::new(CONTENDERS));
    let contenders = (0..CONTENDERS).map(|number| {
        let (node, start) = (nodes[number % nodes.len()].clone(), Arc::clone(&start));
        let config = config(lock, at_most, Duration::ZERO);
        // Tasks of their own, so that they ask on several threads.
        tokio::spawn(async move {
            start.wait().await;
            (node.clone(), node.try_seize(config).await)
        })
    });
    let mut winners = Vec::new();
    for answer in join_all(contenders).await {
        match answer {
            Ok((node, Ok(held))) => winners.push((node, held)),
            Ok((_, Err(refusal))) => {
                let expected = matches!(refusal.reason, SkipReason::Held | SkipReason::Contended);
                assert!(expected, "who comes second is told so: {refusal:?}");
            }
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
    assert!(
        winners.len() <= 1,
        "`{lock}` was granted to {} contenders at once",
        winners.len()
    );
    winners.pop().unwrap_or_else(|| {
        panic!("`{lock}` was free, {CONTENDERS} asked for it, and nobody was granted it")
    })
}

/// Of many nodes that ask at once for a lock that nobody has used before, one is granted the lock.
pub async fn one_of_many_wins_a_new_lock(subject: &Subject) {
    let nodes = nodes(subject).await;
    for _ in 0..ROUNDS {
        race(&nodes, &fresh("race-new"), LONG).await;
    }
}

/// Of many nodes that ask at once for a released lock, one is granted the lock.
pub async fn one_of_many_wins_a_released_lock(subject: &Subject) {
    let nodes = nodes(subject).await;
    let lock = fresh("race-released");
    for _ in 0..ROUNDS {
        let (winner, held) = race(&nodes, &lock, LONG).await;
        winner.release(&held).await;
    }
}

/// Of many nodes that ask at once for a lock whose lease has ended, one is granted the lock.
pub async fn one_of_many_takes_over(subject: &Subject) {
    let nodes = nodes(subject).await;
    let lock = fresh("race-expired");
    for _ in 0..3 {
        let held = nodes[0].seize_within(&lock, subject.short()).await;
        nodes[0].release(&held).await;
        let _dead = nodes[0].seize(&lock, subject.short()).await;
        let all: Vec<_> = nodes.iter().collect();
        subject.until_ended(&all, &lock, subject.short()).await;
        let (winner, held) = race(&nodes, &lock, LONG).await;
        winner.release(&held).await;
    }
}

/// A held lock is granted to none of many nodes that ask at once.
pub async fn none_of_many_gets_a_held_lock(subject: &Subject) {
    let nodes = nodes(subject).await;
    let lock = fresh("race-held");
    let held = nodes[0].seize(&lock, LONG).await;
    let refused = (0..CONTENDERS).map(|number| {
        let (node, lock) = (nodes[number % NODES].clone(), lock.clone());
        tokio::spawn(async move { node.must_be_refused(&lock).await })
    });
    for answer in join_all(refused).await {
        answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    }
    nodes[0].release(&held).await;
}

/// The fuzz test of `ShedLock` for Java loses no update: eight contenders use two locks, and each run reads a counter and writes the
/// counter back a moment later.
pub async fn no_two_bodies_overlap(subject: &Subject) {
    /// Increments the counter of the contender's lock many times.
    async fn contend(node: Node, lock: String, counter: Arc<AtomicU64>, times: u64) {
        let executor = LockingTaskExecutor::new(Arc::clone(node.provider()));
        let grain = node.provider().info().capabilities().grain();
        // A store of coarser grain would keep each lock for a whole step.
        let at_least = Some(Duration::from_millis(5)).filter(|at_least| grain <= *at_least);
        let at_least = at_least.unwrap_or_default();
        let mut done = 0;
        while done < times {
            let body = async {
                let seen = counter.load(Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(1)).await;
                counter.store(seen + 1, Ordering::SeqCst);
            };
            match executor.execute(config(&lock, LONG, at_least), body).await {
                Ok(Outcome::Executed(())) => done += 1,
                Ok(Outcome::Skipped(_)) => {}
                // Not every store is fair to those who wait for it (SQLite is not), and no answer is no grant.
                Err(error) if error.is_transient() => {}
                Err(error) => panic!("a contender failed: {error:?}"),
            }
            // Not at once: a store that is asked all the time by the losers would let nobody win soon.
            tokio::time::sleep(Duration::from_millis(fastrand::u64(1..4))).await;
        }
    }

    let nodes = nodes(subject).await;
    let counters = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
    let locks = [fresh("fuzz-1"), fresh("fuzz-2")];
    let contenders = (0..8).map(|number| {
        let (node, lock, counter) = (
            nodes[number % NODES].clone(),
            locks[number % 2].clone(),
            Arc::clone(&counters[number % 2]),
        );
        // The first leaves early: the others must not wait for it.
        tokio::spawn(contend(
            node,
            lock,
            counter,
            if number == 0 { 10 } else { 100 },
        ))
    });
    for answer in join_all(contenders).await {
        answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    }
    assert_eq!(
        counters.map(|counter| counter.load(Ordering::SeqCst)),
        [310, 400],
        "two bodies overlapped"
    );
}
