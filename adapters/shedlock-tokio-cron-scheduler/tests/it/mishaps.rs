//! What goes wrong in one tick does not touch the next, and is in the log.
//!
//! Each test is on a thread of its own, and so is the log that it reads.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{
    ErrorKind, EventKind, InMemoryLockProvider, LockConfiguration, LockEvent, LockProvider,
    LockingTaskExecutor, OnLost, Operation, RoutingLockProvider, RunOutcome, SchedulerLock, lock,
};
use shedlock_tokio_cron_scheduler::{JobResult, LockedJob, LockedScheduler, TickLock};
use tokio::time::{Instant, sleep};
use tracing::subscriber::DefaultGuard;

use crate::{LIMIT, Log, scheduler};

/// The log lines of this test.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn listen() -> (Self, DefaultGuard) {
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter("shedlock=info")
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        let buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&buffer).into_owned()
    }

    async fn wait_for(&self, part: &str) -> String {
        let until = Instant::now() + LIMIT;
        loop {
            let text = self.text();
            if let Some(line) = text.lines().find(|line| line.contains(part)) {
                return line.to_owned();
            }
            assert!(Instant::now() < until, "no `{part}` in the log:\n{text}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A scheduler with one job every second.
async fn every_second<Fut>(
    provider: impl LockProvider,
    body: impl Fn() -> Fut + Send + Sync + 'static,
) -> LockedScheduler
where
    Fut: Future<Output: JobResult> + Send + 'static,
{
    let jobs = scheduler(provider, "1m").await;
    jobs.cron("* * * * * *", "report", body).await.unwrap();
    jobs.start().await.unwrap();
    jobs
}

#[tokio::test]
async fn a_panic_is_logged_and_the_next_tick_runs() {
    let (lines, _listening) = Lines::listen();
    let runs = Log::new();
    let log = runs.clone();
    let jobs = every_second(InMemoryLockProvider::new(), move || {
        let log = log.clone();
        async move {
            log.push(());
            assert!(log.entries().len() > 1, "the first run has bad luck");
        }
    });
    let jobs = jobs.await;
    runs.wait_for(3).await;
    let line = lines.wait_for("job.panicked").await;
    assert!(line.contains("ERROR"), "{line}");
    let said = "`report` panicked: the first run has bad luck; it runs again at its next tick";
    assert!(line.contains(said), "{line}");
    jobs.shutdown("5s").await.unwrap();
}

/// Such a panic comes before there is a future, while the scheduler calls the job.
#[tokio::test]
async fn a_panic_in_the_closure_itself_does_not_end_the_job() {
    let (lines, _listening) = Lines::listen();
    let runs = Log::new();
    let log = runs.clone();
    let jobs = every_second(InMemoryLockProvider::new(), move || {
        log.push(());
        assert!(log.entries().len() > 1, "no future this time");
        async {}
    });
    let jobs = jobs.await;
    runs.wait_for(3).await;
    lines.wait_for("no future this time").await;
    jobs.shutdown("5s").await.unwrap();
}

#[tokio::test]
async fn the_error_of_a_job_is_logged() {
    let (lines, _listening) = Lines::listen();
    let jobs = every_second(InMemoryLockProvider::new(), || async {
        Err::<(), _>(io::Error::other("the printer is on fire"))
    });
    let jobs = jobs.await;
    let line = lines.wait_for("job.failed").await;
    assert!(line.contains("ERROR"), "{line}");
    assert!(
        line.contains("`report` failed: the printer is on fire"),
        "{line}"
    );
    jobs.shutdown("5s").await.unwrap();
}

#[tokio::test]
async fn a_job_that_fails_or_is_stopped_is_no_success() {
    let ends = Log::new();
    let log = ends.clone();
    let listening = SchedulerLock::listen(move |event: &LockEvent| {
        if event.lock.as_str().starts_with("no-success-")
            && let EventKind::Finished { outcome, .. } = &event.kind
        {
            log.push((event.lock.to_string(), *outcome));
        }
    });
    let jobs = scheduler(InMemoryLockProvider::new(), "1m").await;
    let fails = || async { Err::<(), _>(io::Error::other("the printer is on fire")) };
    jobs.interval("1s", "no-success-fails", fails)
        .await
        .unwrap();
    jobs.start().await.unwrap();
    let failed = ends.wait_for(1).await.remove(0);
    assert_eq!(failed, ("no-success-fails".to_owned(), RunOutcome::Failed));
    assert!(jobs.remove("no-success-fails").await.unwrap());

    let started = Log::new();
    let log = started.clone();
    let hangs = move || {
        log.push(());
        std::future::pending::<()>()
    };
    jobs.interval("1s", "no-success-stopped", hangs)
        .await
        .unwrap();
    started.wait_for(1).await;
    jobs.shutdown("0s").await.unwrap();
    // The first job may have run once more before it was taken away.
    let mut count = 2;
    let stopped = loop {
        let (name, outcome) = ends.wait_for(count).await.remove(count - 1);
        if name == "no-success-stopped" {
            break outcome;
        }
        count += 1;
    };
    assert_eq!(stopped, RunOutcome::Failed);
    drop(listening);
}

#[tokio::test]
async fn a_store_error_is_no_run_and_the_store_is_asked_again() {
    let (lines, _listening) = Lines::listen();
    let provider = FaultyProvider::new(InMemoryLockProvider::new());
    for _ in 0..2 {
        provider.next(Operation::Acquire, Fault::Fail(ErrorKind::Unavailable));
    }
    let runs = Log::new();
    let (log, store) = (runs.clone(), provider.clone());
    let jobs = every_second(provider, move || {
        let (log, store) = (log.clone(), store.clone());
        async move { log.push(store.calls(Operation::Acquire)) }
    });
    let jobs = jobs.await;
    assert_eq!(
        runs.wait_for(1).await[0],
        3,
        "two calls failed, the third ran"
    );
    let line = lines.wait_for("lock.error").await;
    assert!(line.contains("ERROR"), "{line}");
    assert!(
        line.contains("did not run: failed to acquire lock `report`"),
        "{line}"
    );
    jobs.shutdown("5s").await.unwrap();
}

#[tokio::test]
async fn a_job_that_outlasts_its_lease_is_notified_and_reported() {
    let (lines, _listening) = Lines::listen();
    let provider = InMemoryLockProvider::new();
    let jobs = scheduler(provider, "300ms").await;
    let told = Log::new();
    let log = told.clone();
    let body = move || {
        let log = log.clone();
        async move {
            lock::lost().await;
            log.push(lock::is_held());
        }
    };
    jobs.cron("* * * * * *", "report", body).await.unwrap();
    jobs.start().await.unwrap();
    assert!(!told.wait_for(2).await[0]);
    lines.wait_for("lock.lost").await;
    jobs.shutdown("5s").await.unwrap();
}

#[tokio::test]
async fn a_job_that_is_to_be_cancelled_ends_with_its_lease_and_runs_again() {
    let (lines, _listening) = Lines::listen();
    let provider = InMemoryLockProvider::new();
    let jobs = scheduler(provider, "1m").await;
    let lock = LockConfiguration::new("report", "300ms").unwrap();
    let lock = lock.with_on_lost(OnLost::Cancel);
    let runs = Log::new();
    let log = runs.clone();
    let body = move || {
        let log = log.clone();
        async move {
            log.push(());
            sleep(LIMIT).await;
            log.push(());
        }
    };
    jobs.cron("* * * * * *", lock, body).await.unwrap();
    jobs.start().await.unwrap();
    runs.wait_for(2).await;
    let line = lines.wait_for("lock.lost").await;
    assert!(line.contains("ERROR"), "{line}");
    assert!(!lines.text().contains("lock.error"), "{}", lines.text());
    jobs.shutdown("5s").await.unwrap();
}

/// Nobody reads a log that speaks at every tick.
#[tokio::test]
async fn runs_and_skips_are_silent() {
    let (lines, _listening) = Lines::listen();
    let provider = InMemoryLockProvider::new();
    let runs = Log::new();
    let (one, two) = (runs.clone(), runs.clone());
    let note = |log: Log<()>| {
        move || {
            log.push(());
            async {}
        }
    };
    let jobs = [
        every_second(provider.clone(), note(one)).await,
        every_second(provider, note(two)).await,
    ];
    runs.wait_for(3).await;
    for jobs in jobs {
        jobs.shutdown("5s").await.unwrap();
    }
    assert_eq!(lines.text(), "");
}

#[tokio::test]
async fn an_at_least_longer_than_the_interval_is_warned_about() {
    let (lines, _listening) = Lines::listen();
    let provider = InMemoryLockProvider::new();
    let jobs = scheduler(provider, "1m").await;
    let lock = LockConfiguration::new("report", "10m").unwrap();
    let lock = lock.with_at_least("14m").unwrap();
    jobs.cron("0 */5 * * * *", lock, || async {}).await.unwrap();
    let text = lines.text();
    assert!(text.contains("WARN"), "{text}");
    assert!(
        text.contains("`report`: `at_least` is 14m, but ticks come every 5m"),
        "{text}"
    );
}

/// Each tick is the instant of the lock, so of two jobs that have a tick in common one would never run.
#[tokio::test]
async fn a_second_job_with_the_same_lock_is_warned_about() {
    let (lines, _listening) = Lines::listen();
    let locks = LockingTaskExecutor::new(InMemoryLockProvider::new());
    let job = |schedule, name, is_repeatable| {
        let config = LockConfiguration::new(name, "10m").unwrap();
        let lock = if is_repeatable {
            TickLock::repeatable(config)
        } else {
            config.into()
        };
        LockedJob::cron(schedule, &locks, lock, || async {}).unwrap()
    };
    let _hourly = job("0 0 * * * *", "files", false);
    let _others = [
        job("0 0 * * * *", "mails", false),
        job("0 0 * * * *", "files", true),
    ];
    drop(job("0 0 * * * *", "gone", false));
    let _in_its_place = job("0 0 * * * *", "gone", false);
    assert_eq!(lines.text(), "");

    let _daily = job("0 0 0 * * *", "files", false);
    let text = lines.text();
    assert!(text.contains("WARN"), "{text}");
    assert!(text.contains("two jobs share the lock `files`"), "{text}");
}

/// A panic would be about the program, and say that the job is at fault.
#[tokio::test]
async fn an_unknown_tenant_is_an_error_and_no_panic() {
    let (lines, _listening) = Lines::listen();
    let tenants = RoutingLockProvider::by_prefix('e');
    let jobs = every_second(tenants, || async {}).await;
    let line = lines.wait_for("lock.error").await;
    assert!(line.contains("ERROR"), "{line}");
    assert!(line.contains("no provider for tenant `r`"), "{line}");
    jobs.shutdown("5s").await.unwrap();
    let text = lines.text();
    assert!(!text.contains("panicked"), "{text}");
}

/// As when more jobs are due at once than the scheduler's channel holds.
#[tokio::test]
async fn a_missed_tick_is_told_at_the_next_one() {
    let (lines, _listening) = Lines::listen();
    let jobs = scheduler(InMemoryLockProvider::new(), "1m").await;
    jobs.cron("*/5 * * * * *", "report", || async {})
        .await
        .unwrap();
    // The scheduler begins when the first tick, in five seconds at most, is more than ten seconds over.
    sleep(Duration::from_secs(17)).await;
    jobs.start().await.unwrap();
    let line = lines.wait_for("job.ticks_missed").await;
    assert!(line.contains("WARN"), "{line}");
    assert!(line.contains("missed the tick of `report` at 20"), "{line}");
    jobs.shutdown("5s").await.unwrap();
}
