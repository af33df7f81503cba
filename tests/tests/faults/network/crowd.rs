//! Everybody at the same moment.

use std::sync::Arc;
use std::time::Instant;

use shedlock::{LockError, Outcome, SkipReason, scheduler_lock};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::Link;
use crate::support::{Locks, Place, cases, in_time, is_free};

cases! {
    g11_a_thousand_tasks_at_one_tick on postgres mariadb;
}

const TASKS: usize = 1_000;
/// What a provider keeps open is a handful, however many ask.
const CONNECTIONS: u64 = 4;

/// All of them are answered one after the other, which takes a busy machine a while.
#[scheduler_lock(name = "job", at_most = "1m", timeout = "30s", provider = locks)]
async fn job(locks: &Locks, body: impl Future<Output = ()>) -> Result<Outcome<()>, LockError> {
    body.await;
    Ok(Outcome::Executed(()))
}

async fn g11_a_thousand_tasks_at_one_tick(place: Place) {
    let link = Link::over(place).await;
    let tick = Arc::new(Barrier::new(TASKS));
    let all_but_one = Arc::new(tokio::sync::Semaphore::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (locks, tick, done) = (
            Arc::clone(&link.far),
            Arc::clone(&tick),
            Arc::clone(&all_but_one),
        );
        tasks.spawn(async move {
            tick.wait().await;
            let asked = Instant::now();
            let body = async {
                // The winner holds the lock until all others have been told.
                let others = u32::try_from(TASKS - 1).expect("a thousand");
                drop(done.acquire_many(others).await.expect("it stays open"));
            };
            let answer = job(&locks, body).await;
            done.add_permits(1);
            (answer, asked.elapsed())
        });
    }
    let (mut winners, mut skips) = (0, Vec::new());
    while let Some(done) = in_time(tasks.join_next()).await {
        match done.expect("no panic") {
            (Ok(Outcome::Executed(())), _) => winners += 1,
            (Ok(Outcome::Skipped(SkipReason::Held | SkipReason::Contended)), took) => {
                skips.push(took);
            }
            (other, took) => panic!("after {took:?}: {other:?}"),
        }
    }
    skips.sort();
    let connections = link.proxy.counters().connections;
    println!(
        "a skip took {:?} (p50), {:?} (p99); {connections} connections",
        skips[TASKS / 2],
        skips[TASKS * 99 / 100 - 1]
    );
    assert_eq!((winners, skips.len()), (1, TASKS - 1));
    assert!(connections <= CONNECTIONS, "{connections} connections");
    assert!(is_free(&link.near, "job").await);
}
