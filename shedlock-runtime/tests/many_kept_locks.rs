//! What many kept locks cost: alone in a program, because the allocator counts all of it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use allocation_counter::measure;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use shedlock_runtime::{
    InMemoryLockProvider, LockAdmin as _, LockConfiguration, LockingTaskExecutor,
};
use tokio::runtime::{Builder, Handle};
use tokio::task::unconstrained;
use tokio::time::sleep;

const LOCKS: usize = 100_000;
const LEASE: Duration = Duration::from_secs(60);

fn config(lock: usize) -> LockConfiguration {
    let config = LockConfiguration::new(format!("lock-{lock}"), LEASE).unwrap();
    config.with_keep_alive().unwrap()
}

#[test]
fn a_hundred_thousand_kept_locks_cost_no_task_and_less_than_a_kibibyte_each() {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let provider = InMemoryLockProvider::new();
    let executor = LockingTaskExecutor::new(provider.clone());
    let mut running: FuturesUnordered<_> = (0..LOCKS)
        .map(|lock| executor.execute(config(lock), async { sleep(4 * LEASE).await }))
        .collect();
    // Awaits for so long, and no body ends.
    let mut wait = |time| {
        // Without tokio's budget, which makes one task with a hundred thousand futures poll them all again and again.
        runtime.block_on(unconstrained(async {
            tokio::select! {
                biased;
                _ = running.next() => panic!("a body ended"),
                () = sleep(time) => {}
            }
            let locks = provider.list().await.unwrap();
            let held = locks.iter().filter(|lock| lock.is_held()).count();
            (held, Handle::current().metrics().num_alive_tasks())
        }))
    };
    let mut all = (0, 0);
    let cost = measure(|| all = wait(Duration::from_millis(1)));
    assert_eq!(all, (LOCKS, 0), "locks held, and tasks");
    let bytes = usize::try_from(cost.bytes_current).unwrap() / LOCKS;
    println!("{bytes} bytes each");
    assert!(bytes < 1024, "{bytes} bytes each");
    assert_eq!(wait(2 * LEASE), (LOCKS, 0), "two leases later");
    runtime.block_on(unconstrained(async {
        while let Some(outcome) = running.next().await {
            assert!(outcome.unwrap().was_executed());
        }
    }));
}
