//! The end: nothing more begins, what runs may finish, the rest is stopped, and the locks are free.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use shedlock_runtime::testing::FaultyProvider;
use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockProviderExt as _, Operation};
use shedlock_tokio_cron_scheduler::{JobError, LockedScheduler};
use tokio::time::{Instant, sleep};

use crate::{LIMIT, Log, scheduler};

/// Puts an end to the log when it is dropped.
struct Dropped(Log<&'static str>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.push("dropped");
    }
}

/// A scheduler whose one job has begun and takes `long`.
async fn running(
    provider: InMemoryLockProvider,
    long: Duration,
) -> (LockedScheduler, Log<&'static str>) {
    let jobs = scheduler(provider, "10m").await;
    let jobs = jobs.with_default_at_least("1ms").unwrap();
    let runs = Log::new();
    let entries = runs.clone();
    let body = move || {
        let entries = entries.clone();
        async move {
            entries.push("begun");
            let dropped = Dropped(entries);
            sleep(long).await;
            dropped.0.push("ended");
        }
    };
    jobs.cron("* * * * * *", "job", body).await.unwrap();
    jobs.start().await.unwrap();
    runs.wait_for(1).await;
    (jobs, runs)
}

async fn is_free(provider: &InMemoryLockProvider) -> bool {
    let config = LockConfiguration::new("job", "1s").unwrap();
    provider.try_lock(config).await.unwrap().is_some()
}

#[tokio::test]
async fn a_job_that_ends_within_the_grace_is_not_disturbed() {
    let provider = InMemoryLockProvider::new();
    let (jobs, log) = running(provider.clone(), Duration::from_secs(1)).await;
    assert!(!is_free(&provider).await);
    let stopped = jobs.shutdown("30s").await.unwrap();
    assert_eq!((stopped.cancelled, stopped.still_running), (0, 0));
    assert_eq!(log.entries(), ["begun", "ended", "dropped"]);
    assert!(is_free(&provider).await);
}

#[tokio::test]
async fn a_job_that_goes_on_is_stopped_and_its_lock_given_back() {
    let provider = InMemoryLockProvider::new();
    let (jobs, log) = running(provider.clone(), Duration::from_mins(10)).await;
    let asked = Instant::now();
    let stopped = jobs.shutdown("300ms").await.unwrap();
    assert_eq!((stopped.cancelled, stopped.still_running), (1, 0));
    assert_eq!(log.entries(), ["begun", "dropped"]);
    assert!(is_free(&provider).await, "before anybody waits");
    assert!(asked.elapsed() < Duration::from_secs(5));
}

/// Waits until a quarter of a second before the next full second, when every job here is due.
async fn just_before_a_tick() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let left = (1750 - now.subsec_millis()) % 1000;
    sleep(Duration::from_millis(left.into())).await;
}

/// A scheduler that has been shut down still carries out its next look at the time, up to half a second later.
#[tokio::test]
async fn nothing_begins_after_the_end() {
    let schedulers = (0..10).map(|number| async move {
        // So that some of them look just after the tick.
        sleep(Duration::from_millis(50) * number).await;
        running(InMemoryLockProvider::new(), Duration::from_millis(1)).await
    });
    let schedulers = join_all(schedulers).await;
    just_before_a_tick().await;
    for (jobs, _) in &schedulers {
        jobs.shutdown("5s").await.unwrap();
    }
    let runs = || schedulers.iter().map(|(_, log)| log.entries().len());
    let before: Vec<_> = runs().collect();
    // A tick comes, and another.
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(runs().collect::<Vec<_>>(), before);

    let (jobs, _) = &schedulers[0];
    assert_eq!(jobs.shutdown("1s").await.unwrap().cancelled, 0);
    let added = jobs.cron("* * * * * *", "more", || async {}).await;
    assert!(matches!(added, Err(JobError::ShutDown)), "{added:?}");
    let started = jobs.start().await;
    assert!(matches!(started, Err(JobError::ShutDown)), "{started:?}");
}

#[tokio::test]
async fn a_removed_job_stops_and_its_name_is_free() {
    let provider = InMemoryLockProvider::new();
    let (jobs, log) = running(provider, Duration::from_millis(1)).await;
    assert!(jobs.remove("job").await.unwrap());
    assert!(!jobs.remove("job").await.unwrap());
    // A tick that was on its way may still come.
    sleep(Duration::from_secs(1)).await;
    let runs = log.entries();
    sleep(Duration::from_millis(2500)).await;
    assert_eq!(log.entries(), runs);
    jobs.cron("* * * * * *", "job", || async {}).await.unwrap();
    jobs.shutdown("5s").await.unwrap();
}

#[tokio::test]
async fn a_job_that_waits_for_its_lock_does_not_begin_after_the_end() {
    let memory = InMemoryLockProvider::new();
    let elsewhere = LockConfiguration::new("job", "10m").unwrap();
    let held = memory.try_lock(elsewhere.clone()).await.unwrap().unwrap();
    let provider = FaultyProvider::new(memory.clone());
    let jobs = scheduler(provider.clone(), "10m").await;
    let runs = Log::new();
    let entries = runs.clone();
    let body = move || {
        entries.push("begun");
        async {}
    };
    let waits = elsewhere.with_wait("10m").unwrap();
    jobs.cron("* * * * * *", waits, body).await.unwrap();
    jobs.start().await.unwrap();
    let limit = Instant::now() + LIMIT;
    while provider.calls(Operation::Acquire) == 0 {
        assert!(Instant::now() < limit, "no tick");
        sleep(Duration::from_millis(20)).await;
    }
    let asked = Instant::now();
    let stopped = jobs.shutdown("100ms").await.unwrap();
    assert!(stopped.cancelled >= 1);
    assert_eq!(stopped.still_running, 0);
    assert!(asked.elapsed() < Duration::from_secs(9));
    held.unlock().await.unwrap();
    // Longer than between two looks at a lock that is waited for.
    sleep(Duration::from_secs(3)).await;
    assert_eq!(runs.entries(), [""; 0]);
    assert!(is_free(&memory).await);
}
