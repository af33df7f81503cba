//! The error of creating, adding or removing a job.

use shedlock_runtime::{InvalidDuration, LockError, printable};
use tokio_cron_scheduler::JobSchedulerError;

/// Why a job could not be created, added or removed. A run of a job never returns this error.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockingTaskExecutor};
/// use shedlock_tokio_cron_scheduler::{JobError, LockedJob};
///
/// let locks = LockingTaskExecutor::new(InMemoryLockProvider::new());
/// let report = LockConfiguration::new("report", "10m")?;
/// let refused = LockedJob::cron("every five minutes", &locks, report, || async {});
/// assert!(matches!(refused, Err(JobError::Schedule { .. })));
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The lock's name or one of its durations is refused.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The schedule cannot be parsed.
    #[error(
        "cannot read the schedule `{schedule}`; it has six fields: second, minute, hour, day of month, month, day of week"
    )]
    Schedule {
        /// The schedule that cannot be parsed.
        schedule: String,
    },
    /// The schedule has no tick in the future. The scheduler would silently remove the job.
    #[error("the schedule `{schedule}` never comes")]
    Never {
        /// The schedule without a tick.
        schedule: String,
    },
    /// The interval is not a whole number of seconds. The scheduler counts in seconds.
    #[error(
        "the interval `{interval}` is not a whole number of seconds, which is what the scheduler counts in"
    )]
    Interval {
        /// The interval, as text.
        interval: String,
    },
    /// The scheduler already has a job with this lock. Two jobs with one lock would make each other skip ticks.
    #[error(
        "there is a job `{}` already; two jobs under one lock would skip each other's ticks",
        printable(name)
    )]
    NameTaken {
        /// The name of the lock.
        name: String,
    },
    /// The scheduler has been shut down. A scheduler cannot be started again.
    #[error("the scheduler has been shut down")]
    ShutDown,
    /// The scheduler itself has failed.
    #[error("the scheduler failed: {0:?}")]
    Scheduler(#[from] JobSchedulerError),
}

impl From<InvalidDuration> for JobError {
    fn from(invalid: InvalidDuration) -> Self {
        Self::Lock(invalid.into())
    }
}
