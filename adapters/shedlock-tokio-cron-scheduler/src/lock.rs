//! The lock of a job: a name, or a configuration.

use std::time::Duration;

use shedlock_runtime::{LockConfiguration, LockError};

/// The lock of a job of a [`LockedScheduler`](crate::LockedScheduler): a name, which gets the defaults of the scheduler, or a complete
/// [`LockConfiguration`].
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
    fn configuration(self, defaults: Defaults) -> Result<LockConfiguration, LockError>;
}

/// The durations of the locks that are given by name.
#[derive(Debug, Clone, Copy)]
#[expect(unnameable_types, reason = "only this crate calls what takes it")]
pub struct Defaults {
    pub(crate) at_most: Duration,
    pub(crate) at_least: Duration,
}

impl JobLock for &str {
    fn configuration(self, defaults: Defaults) -> Result<LockConfiguration, LockError> {
        LockConfiguration::new(self, defaults.at_most)?.with_at_least(defaults.at_least)
    }
}

impl JobLock for String {
    fn configuration(self, defaults: Defaults) -> Result<LockConfiguration, LockError> {
        self.as_str().configuration(defaults)
    }
}

impl JobLock for LockConfiguration {
    fn configuration(self, _defaults: Defaults) -> Result<LockConfiguration, LockError> {
        Ok(self)
    }
}
