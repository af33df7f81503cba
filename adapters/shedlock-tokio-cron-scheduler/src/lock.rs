//! The lock of a job: a name, or a configuration; and whether the ticks of the job are told apart.

use std::time::Duration;

use shedlock_runtime::{LockConfiguration, LockError};

/// The lock of a job of a [`LockedScheduler`](crate::LockedScheduler): a name, which gets the defaults of the scheduler, a complete
/// [`LockConfiguration`], or a [`TickLock`].
///
/// # Examples
///
/// ```
/// use shedlock_runtime::LockConfiguration;
/// use shedlock_tokio_cron_scheduler::{JobError, LockedScheduler};
///
/// async fn add_jobs(jobs: &LockedScheduler) -> Result<(), JobError> {
///     jobs.cron("0 */5 * * * *", "report", || async {}).await?;
///     let long = LockConfiguration::new("import", "10m")?.with_keep_alive()?;
///     jobs.cron("0 0 3 * * *", long, || async {}).await?;
///     Ok(())
/// }
/// ```
// Other crates cannot name `Defaults`, so no other crate can implement `JobLock`.
pub trait JobLock {
    #[doc(hidden)]
    fn lock(self, defaults: Defaults) -> Result<TickLock, LockError>;
}

/// The durations of the locks that are given by name.
#[derive(Debug, Clone, Copy)]
#[expect(unnameable_types, reason = "only this crate calls what takes it")]
pub struct Defaults {
    pub(crate) at_most: Duration,
    pub(crate) at_least: Duration,
}

/// A [`LockConfiguration`], and whether a job with it runs at most once for each tick of its schedule.
///
/// A [`LockConfiguration`] becomes a `TickLock` whose job does, if the provider keeps positions: the time of the tick is then the
/// [instant](LockConfiguration::with_instant) of the run, unless the configuration asks for a slot, an instant or a step of its own.
/// [`repeatable`](Self::repeatable) makes one whose job may run again for a tick.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::LockConfiguration;
/// use shedlock_tokio_cron_scheduler::{JobError, LockedScheduler, TickLock};
///
/// async fn add_jobs(jobs: &LockedScheduler) -> Result<(), JobError> {
///     // Another program runs this job by hand, under the same lock, and for later instants.
///     let poll = LockConfiguration::new("poll", "1m")?;
///     jobs.cron("*/10 * * * * *", TickLock::repeatable(poll), || async {}).await?;
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct TickLock {
    pub(crate) config: LockConfiguration,
    pub(crate) is_repeatable: bool,
}

impl TickLock {
    /// The lock of a job that may run more than once for a tick: a node that sees the tick after a run has ended, and after its `at_least`,
    /// runs the job again.
    #[must_use]
    pub const fn repeatable(config: LockConfiguration) -> Self {
        Self {
            config,
            is_repeatable: true,
        }
    }
}

impl From<LockConfiguration> for TickLock {
    fn from(config: LockConfiguration) -> Self {
        Self {
            config,
            is_repeatable: false,
        }
    }
}

impl JobLock for &str {
    fn lock(self, defaults: Defaults) -> Result<TickLock, LockError> {
        let config = LockConfiguration::new(self, defaults.at_most)?;
        Ok(config.with_at_least(defaults.at_least)?.into())
    }
}

impl JobLock for String {
    fn lock(self, defaults: Defaults) -> Result<TickLock, LockError> {
        self.as_str().lock(defaults)
    }
}

impl JobLock for LockConfiguration {
    fn lock(self, _defaults: Defaults) -> Result<TickLock, LockError> {
        Ok(self.into())
    }
}

impl JobLock for TickLock {
    fn lock(self, _defaults: Defaults) -> Result<TickLock, LockError> {
        Ok(self)
    }
}
