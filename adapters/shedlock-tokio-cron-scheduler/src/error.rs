//! Why a job could not be added.

use shedlock_runtime::{InvalidDuration, LockError, printable};
use tokio_cron_scheduler::JobSchedulerError;

/// A job could not be made, added or removed; no tick ever returns it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The lock's name or one of its durations is refused.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The schedule cannot be read.
    #[error(
        "cannot read the schedule `{schedule}`; it has six fields: second, minute, hour, day of month, month, day of week"
    )]
    Schedule {
        /// The schedule as given.
        schedule: String,
    },
    /// The scheduler would drop the job without a word.
    #[error("the schedule `{schedule}` never comes")]
    Never {
        /// The schedule as given.
        schedule: String,
    },
    /// The scheduler counts in whole seconds.
    #[error(
        "the interval `{interval}` is not a whole number of seconds, which is what the scheduler counts in"
    )]
    Interval {
        /// The interval, for people.
        interval: String,
    },
    /// Two jobs of one name would skip each other's ticks.
    #[error(
        "there is a job `{}` already; two jobs under one lock would skip each other's ticks",
        printable(name)
    )]
    NameTaken {
        /// The lock's name.
        name: String,
    },
    /// The scheduler has been shut down; it cannot be started again.
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
