//! Two schedulers with the same jobs on one store: each tick is one run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{
    ErrorKind, EventKind, InMemoryLockProvider, LockConfiguration, LockEvent, LockProvider,
    LockingTaskExecutor, Operation, SchedulerLock, SkipReason, lock,
};
use shedlock_sqlx::SqliteLockProvider;
use shedlock_tokio_cron_scheduler::{LockedJob, TickLock};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tokio_cron_scheduler::JobScheduler;

use crate::{Log, scheduler};

/// Seconds between ticks: half of it is what nodes may differ by, on a machine with much else to do.
const EVERY: u64 = 4;

/// The tick that the running job belongs to.
fn tick() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
        / EVERY
}

/// One file, and a provider of its own for each node.
async fn sqlite() -> (TempDir, [SqliteLockProvider; 2]) {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}", folder.path().join("locks.db").display());
    let one = SqliteLockProvider::connect(&url).await.unwrap();
    one.ensure_schema().await.unwrap();
    let two = SqliteLockProvider::connect(&url).await.unwrap();
    (folder, [one, two])
}

/// Waits until the middle of the schedulers' own half second between two looks at the time, so that they differ.
async fn out_of_step() {
    sleep(Duration::from_millis(250)).await;
}

fn each_tick_once(ticks: &[u64]) {
    let expected: Vec<_> = (ticks[0]..).take(ticks.len()).collect();
    assert_eq!(ticks, expected);
}

async fn every_tick_is_one_run<P: LockProvider>(providers: [P; 2]) {
    let runs = Log::new();
    let mut nodes = Vec::new();
    for provider in providers {
        let jobs = scheduler(provider, "1m").await;
        let log = runs.clone();
        let body = move || {
            let log = log.clone();
            async move {
                assert!(lock::is_held());
                log.push(tick());
            }
        };
        let schedule = format!("*/{EVERY} * * * * *");
        jobs.cron(&schedule, "job", body).await.unwrap();
        // A second one, so that one lock does not stand for all.
        jobs.cron(&schedule, "other", || async {}).await.unwrap();
        jobs.start().await.unwrap();
        nodes.push(jobs);
        out_of_step().await;
    }
    // The node that was first may have had a tick alone; that is one run too.
    each_tick_once(&runs.wait_for(4).await);
    for jobs in nodes {
        jobs.shutdown("5s").await.unwrap();
    }
    each_tick_once(&runs.entries());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_tick_is_one_run_in_a_file() {
    let (_folder, providers) = sqlite().await;
    every_tick_is_one_run(providers).await;
}

#[tokio::test]
async fn every_tick_is_one_run_in_memory_and_on_one_thread() {
    let provider = InMemoryLockProvider::new();
    every_tick_is_one_run([provider.clone(), provider]).await;
}

#[tokio::test]
async fn a_plain_scheduler_takes_a_single_locked_job() {
    let locks = LockingTaskExecutor::new(InMemoryLockProvider::new());
    let runs = Log::new();
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let scheduler = JobScheduler::new().await.unwrap();
        let log = runs.clone();
        let config = LockConfiguration::new("job", "1m").unwrap();
        let job = LockedJob::cron(format!("*/{EVERY} * * * * *"), &locks, config, move || {
            let log = log.clone();
            async move { log.push(tick()) }
        });
        scheduler.add(job.unwrap()).await.unwrap();
        scheduler.start().await.unwrap();
        nodes.push(scheduler);
        out_of_step().await;
    }
    each_tick_once(&runs.wait_for(2).await);
    for mut scheduler in nodes {
        scheduler.shutdown().await.unwrap();
    }
}

/// As the README says, for two jobs that must not run at the same time, and that have ticks in common.
#[tokio::test]
async fn two_jobs_that_take_one_lock_inside_run_at_each_tick_one_after_the_other() {
    let (_folder, providers) = sqlite().await;
    let (runs, busy) = (Log::new(), Arc::new(AtomicUsize::new(0)));
    let mut nodes = Vec::new();
    for provider in providers {
        let scheduler = JobScheduler::new().await.unwrap();
        let locks = LockingTaskExecutor::new(provider);
        for job in ["export", "import"] {
            let (runs, busy, inner) = (runs.clone(), Arc::clone(&busy), locks.clone());
            let body = move || {
                let (runs, busy, locks) = (runs.clone(), Arc::clone(&busy), inner.clone());
                async move {
                    let now = tick();
                    let files = LockConfiguration::new("files", "1m")?.with_wait("1m")?;
                    let work = async {
                        assert_eq!(busy.fetch_add(1, Ordering::SeqCst), 0, "they overlap");
                        sleep(Duration::from_millis(300)).await;
                        busy.fetch_sub(1, Ordering::SeqCst);
                        runs.push((now, job));
                    };
                    locks.execute(files, work).await.map(drop)
                }
            };
            let own = LockConfiguration::new(job, "2m").unwrap();
            let job = LockedJob::cron(format!("*/{EVERY} * * * * *"), &locks, own, body);
            scheduler.add(job.unwrap()).await.unwrap();
        }
        scheduler.start().await.unwrap();
        nodes.push(scheduler);
        out_of_step().await;
    }
    runs.wait_for(6).await;
    for mut scheduler in nodes {
        scheduler.shutdown().await.unwrap();
    }
    let runs = runs.entries();
    for name in ["export", "import"] {
        let ticks = runs.iter().filter(|(_, job)| *job == name);
        each_tick_once(&ticks.map(|(tick, _)| *tick).collect::<Vec<_>>());
    }
}

/// Nodes that count from different starts would run twice an interval.
#[tokio::test]
async fn an_interval_holds_for_all_nodes_together() {
    let (_folder, providers) = sqlite().await;
    let runs = Log::new();
    let mut nodes = Vec::new();
    for provider in providers {
        let jobs = scheduler(provider, "1m").await;
        let log = runs.clone();
        let body = move || {
            let log = log.clone();
            async move { log.push(Instant::now()) }
        };
        jobs.interval("6s", "job", body).await.unwrap();
        jobs.start().await.unwrap();
        nodes.push(jobs);
        sleep(Duration::from_secs(3)).await;
    }
    let runs = runs.wait_for(3).await;
    for pair in runs.windows(2) {
        // Five seconds lie between the acquisitions; a second for the way from there to the clock.
        let apart = pair[1] - pair[0];
        assert!(apart >= Duration::from_secs(4), "{apart:?}");
    }
    for jobs in nodes {
        jobs.shutdown("5s").await.unwrap();
    }
}

#[tokio::test]
async fn a_job_does_not_overlap_with_itself() {
    let provider = InMemoryLockProvider::new();
    let jobs = scheduler(provider, "1m").await;
    let (starts, ends) = (Log::new(), Log::new());
    let log = (starts.clone(), ends.clone());
    let body = move || {
        let (starts, ends) = log.clone();
        async move {
            assert_eq!(starts.entries().len(), ends.entries().len());
            starts.push(());
            sleep(Duration::from_millis(2500)).await;
            ends.push(());
        }
    };
    jobs.cron("* * * * * *", "job", body).await.unwrap();
    jobs.start().await.unwrap();
    ends.wait_for(2).await;
    jobs.shutdown("5s").await.unwrap();
    assert_eq!(starts.entries().len(), ends.entries().len());
}

/// The ticks of `count` runs by two nodes. The lock is free again before the second node sees the tick.
async fn ticks_with_hardly_an_at_least(lock: impl Fn() -> TickLock, count: usize) -> Vec<u64> {
    let (runs, provider) = (Log::new(), InMemoryLockProvider::new());
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let jobs = scheduler(provider.clone(), "1m").await;
        let log = runs.clone();
        let body = move || {
            let log = log.clone();
            async move { log.push(tick()) }
        };
        let schedule = format!("*/{EVERY} * * * * *");
        jobs.cron(&schedule, lock(), body).await.unwrap();
        jobs.start().await.unwrap();
        nodes.push(jobs);
        out_of_step().await;
    }
    runs.wait_for(count).await;
    for jobs in nodes {
        jobs.shutdown("5s").await.unwrap();
    }
    runs.entries()
}

fn hardly_an_at_least() -> LockConfiguration {
    let config = LockConfiguration::new("job", "1m").unwrap();
    config.with_at_least("1ms").unwrap()
}

#[tokio::test]
async fn a_node_that_sees_the_tick_late_knows_which_one_it_is() {
    let ticks = ticks_with_hardly_an_at_least(|| hardly_an_at_least().into(), 4).await;
    each_tick_once(&ticks);
}

#[tokio::test]
async fn a_repeatable_job_may_run_again_for_a_tick() {
    let lock = || TickLock::repeatable(hardly_an_at_least());
    let ticks = ticks_with_hardly_an_at_least(lock, 6).await;
    let is_twice = |pair: &[u64]| pair[0] == pair[1];
    assert!(ticks.windows(2).any(is_twice), "{ticks:?}");
}

/// A lock with a slot, an instant or a step of its own keeps it.
#[tokio::test]
async fn a_slot_of_the_configuration_goes_before_the_tick() {
    let provider = InMemoryLockProvider::new();
    let (runs, skips) = (Log::new(), Log::new());
    let skipped = skips.clone();
    let _listening = SchedulerLock::listen(move |event: &LockEvent| {
        if let EventKind::Skipped { reason, .. } = &event.kind
            && event.lock.as_str() == "slot"
        {
            skipped.push(*reason);
        }
    });
    let jobs = scheduler(provider, "1m").await;
    let log = runs.clone();
    let body = move || {
        let log = log.clone();
        async move { log.push(tick()) }
    };
    let once = LockConfiguration::new("slot", "1m").unwrap();
    let once = once.with_once_per("365d").unwrap();
    jobs.cron("* * * * * *", once, body).await.unwrap();
    jobs.start().await.unwrap();
    let skips = skips.wait_for(2).await;
    jobs.shutdown("5s").await.unwrap();
    assert_eq!(runs.entries().len(), 1);
    assert!(skips.contains(&SkipReason::AlreadyRan), "{skips:?}");
}

/// A table may lack the columns for positions, which the store says at the first tick.
#[tokio::test]
async fn a_store_that_turns_out_to_keep_no_positions_runs_the_job() {
    for kind in [ErrorKind::Unsupported, ErrorKind::Schema] {
        let store = FaultyProvider::new(InMemoryLockProvider::new());
        store.next(Operation::Acquire, Fault::Fail(kind));
        let jobs = scheduler(store.clone(), "1m").await;
        let runs = Log::new();
        let log = runs.clone();
        let body = move || {
            let log = log.clone();
            async move { log.push(tick()) }
        };
        jobs.cron("*/4 * * * * *", "job", body).await.unwrap();
        let added = tick();
        jobs.start().await.unwrap();
        let ticks = runs.wait_for(2).await;
        each_tick_once(&ticks);
        assert!(ticks[0] <= added + 1, "the first tick was missed");
        jobs.shutdown("5s").await.unwrap();
        let asked = store.calls(Operation::Acquire);
        assert_eq!(asked, runs.entries().len() + 1, "asked again in vain");
    }
}
