//! A job of tokio-cron-scheduler that runs under a lock.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use humantime::format_duration;
use shedlock_runtime::{LockingTaskExecutor, ToDuration};
use tokio_cron_scheduler::Job;

use crate::error::JobError;
use crate::events;
use crate::lock::TickLock;
use crate::run::{Instants, JobResult, OnceAMinute, Running, Task};
use crate::sharing::Ticking;
use crate::spacing::Ticks;
use crate::zone::{Schedule, follow};

/// The number of future ticks among which the shortest gap between two ticks is searched.
const LOOK_AHEAD: usize = 32;

/// Creates locked [`Job`]s for a [`JobScheduler`](tokio_cron_scheduler::JobScheduler).
///
/// Each function takes a closure that is called for every run, on the node that holds the lock. A lock without an `at_least` gets a
/// default, so that a node that sees the tick a little later does not repeat a short run; see the [crate's front page](crate). If the
/// provider keeps positions, a job by cron also runs at most once for each tick: see [`TickLock`].
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockingTaskExecutor};
/// use shedlock_tokio_cron_scheduler::LockedJob;
/// use tokio_cron_scheduler::JobScheduler;
///
/// let locks = LockingTaskExecutor::new(InMemoryLockProvider::new());
/// let scheduler = JobScheduler::new().await?;
/// let report = LockConfiguration::new("report", "10m")?;
/// scheduler
///     .add(LockedJob::cron("0 */5 * * * *", &locks, report, || async {
///         // One node at a time.
///     })?)
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct LockedJob;

impl LockedJob {
    /// Creates a job that is due at the ticks of `schedule`, in UTC.
    ///
    /// # Errors
    ///
    /// `schedule` cannot be parsed or has no tick in the future.
    pub fn cron<F, Fut>(
        schedule: impl AsRef<str>,
        locks: &LockingTaskExecutor,
        lock: impl Into<TickLock>,
        body: F,
    ) -> Result<Job, JobError>
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output: JobResult> + Send + 'static,
    {
        Self::cron_tz(schedule, Utc, locks, lock, body)
    }

    /// Creates a job that is due at the ticks of `schedule` in the time zone `zone`, also after the offset of the zone has changed.
    ///
    /// # Errors
    ///
    /// `schedule` cannot be parsed or has no tick in the future.
    pub fn cron_tz<Z, F, Fut>(
        schedule: impl AsRef<str>,
        zone: Z,
        locks: &LockingTaskExecutor,
        lock: impl Into<TickLock>,
        body: F,
    ) -> Result<Job, JobError>
    where
        Z: TimeZone<Offset: fmt::Display + Send + Sync> + Send + Sync + 'static,
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output: JobResult> + Send + 'static,
    {
        let lock = Lock::of_one_job(locks, lock.into());
        cron(schedule.as_ref(), zone, lock, body)
    }

    /// Creates a job that is due every `interval`, a whole number of seconds, counted from the creation of the job.
    ///
    /// # Errors
    ///
    /// The interval cannot be parsed, is zero or has fractions of a second.
    pub fn interval<F, Fut>(
        every: impl ToDuration,
        locks: &LockingTaskExecutor,
        lock: impl Into<TickLock>,
        body: F,
    ) -> Result<Job, JobError>
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output: JobResult> + Send + 'static,
    {
        let lock = Lock::of_one_job(locks, lock.into());
        interval(every.to_duration()?, lock, body)
    }
}

/// The lock of a job.
pub(crate) struct Lock {
    /// What takes the lock.
    pub(crate) locks: LockingTaskExecutor,
    pub(crate) wanted: TickLock,
    /// The bodies that are stopped together.
    pub(crate) running: Running,
    /// Whether the job's scheduler lets no other job have the lock. Two such schedulers are two nodes.
    pub(crate) is_unique: bool,
}

impl Lock {
    fn of_one_job(locks: &LockingTaskExecutor, lock: TickLock) -> Self {
        Self {
            locks: locks.clone(),
            wanted: lock,
            running: Running::default(),
            is_unique: false,
        }
    }
}

pub(crate) fn cron<Z, F, Fut>(schedule: &str, zone: Z, lock: Lock, body: F) -> Result<Job, JobError>
where
    Z: TimeZone<Offset: fmt::Display + Send + Sync> + Send + Sync + 'static,
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output: JobResult> + Send + 'static,
{
    let ticks = Schedule::parse(schedule)?;
    let mut due = ticks.next(&Utc::now().with_timezone(&zone));
    let Some(gap) = due.as_ref().map(|due| shortest_gap(due, &ticks)) else {
        return Err(JobError::Never {
            schedule: schedule.to_owned(),
        });
    };
    let task = task(lock, Ticks::Shared(gap), body)?;
    let in_zone = zone.clone();
    let job = Job::new_async_tz(schedule, zone, move |id, scheduler| {
        let now = Utc::now();
        let here = now.with_timezone(&in_zone);
        // A tick that was computed with an outdated offset does not count. Compared in whole seconds, as the scheduler counts.
        let is_due = |due: &DateTime<Z>| due.timestamp() <= now.timestamp();
        let tick = due.take_if(|due| is_due(due));
        // A node that was suspended means the tick that the others mean, and not the first that it missed.
        let tick = tick.map(|tick| {
            let last = ticks.last(&here).filter(|last| *last > tick);
            if last.is_some() && is_missed(&tick, &here) && task.missed.is_due() {
                events::ticks_missed(task.config.name(), &tick.to_utc());
            }
            last.unwrap_or(tick)
        });
        if tick.is_some() {
            due = ticks.next(&here);
        }
        let (task, next) = (Arc::clone(&task), due.clone());
        Box::pin(async move {
            if let Some(next) = next
                && let Err(cause) = follow(&scheduler, id, now, next).await
            {
                events::zone_not_followed(task.config.name(), &cause);
            }
            if let Some(tick) = tick {
                task.tick(Some(tick.to_utc().into())).await;
            }
        })
    });
    Ok(job?)
}

pub(crate) fn interval<F, Fut>(every: Duration, lock: Lock, body: F) -> Result<Job, JobError>
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output: JobResult> + Send + 'static,
{
    if every.is_zero() || every.subsec_nanos() != 0 {
        return Err(JobError::Interval {
            interval: format_duration(every).to_string(),
        });
    }
    let task = task(lock, Ticks::Own(every), body)?;
    let job = Job::new_repeated_async(every, move |_id, _scheduler| {
        let task = Arc::clone(&task);
        Box::pin(async move { task.tick(None).await })
    });
    Ok(job?)
}

/// The task that runs the job, with an `at_least` that fits the ticks of the job.
fn task<F>(lock: Lock, ticks: Ticks, body: F) -> Result<Arc<Task<F>>, JobError> {
    let (locks, mut config) = (lock.locks, lock.wanted.config);
    if config.at_least().is_zero() {
        config = config.with_at_least(ticks.guard())?;
    } else if let Some(doubt) = ticks.doubt(config.at_least()) {
        events::spacing(config.name(), &doubt);
    }
    let tells_ticks_apart = !lock.wanted.is_repeatable
        && config.position_rule().is_none()
        && locks.info().capabilities().keeps_positions();
    let is_ticking = tells_ticks_apart && !lock.is_unique && matches!(ticks, Ticks::Shared(_));
    let ticking = is_ticking.then(|| Ticking::register(locks.info(), config.name()));
    if ticking.as_ref().is_some_and(Ticking::is_shared) {
        events::shared_lock(config.name());
    }
    Ok(Arc::new(Task {
        locks,
        config,
        instants: Instants::new(tells_ticks_apart),
        _ticking: ticking,
        no_provider: OnceAMinute::default(),
        missed: OnceAMinute::default(),
        running: lock.running,
        body,
    }))
}

/// Whether the node sees the tick too late to have run at it. Schedules of a second or two are hardly longer than the scheduler's own delays.
fn is_missed<Z: TimeZone>(tick: &DateTime<Z>, now: &DateTime<Z>) -> bool {
    now.clone() - tick.clone() > TimeDelta::seconds(10)
}

/// The shortest time between two successive ticks, counted from the tick `first` on.
fn shortest_gap<Z: TimeZone>(first: &DateTime<Z>, schedule: &Schedule) -> Duration {
    let ticks = std::iter::successors(Some(first.clone()), |tick| schedule.next(tick));
    let mut last: Option<DateTime<Z>> = None;
    let mut shortest = Duration::MAX;
    for tick in ticks.take(LOOK_AHEAD) {
        if let Some(last) = last.replace(tick.clone())
            && let Ok(gap) = (tick - last).to_std()
        {
            shortest = shortest.min(gap);
        }
    }
    shortest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(schedule: &str) -> u64 {
        let schedule = Schedule::parse(schedule).unwrap();
        let first = schedule.next(&Utc::now()).unwrap();
        shortest_gap(&first, &schedule).as_secs()
    }

    #[test]
    fn the_gap_is_that_of_the_two_closest_ticks() {
        assert_eq!(gap("*/5 * * * * *"), 5);
        assert_eq!(gap("0 0 3 * * *"), 86_400);
        assert_eq!(gap("0 0,10 9-17 * * Mon-Fri"), 600);
    }

    #[test]
    fn a_schedule_that_comes_once_has_no_gap() {
        assert_eq!(gap("0 0 0 1 1 * 2999"), Duration::MAX.as_secs());
    }
}
