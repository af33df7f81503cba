//! A scheduler whose every job is locked.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{TimeZone, Utc};
use shedlock_runtime::{LockConfiguration, LockProvider, LockingTaskExecutor, ToDuration};
use tokio::time::timeout;
use tokio_cron_scheduler::job::JobId;
use tokio_cron_scheduler::{Job, JobScheduler};

use crate::error::JobError;
use crate::job;
use crate::lock::{Defaults, JobLock};
use crate::run::{JobResult, Running};

/// How long a cancelled job may take to give its lock back; longer than the runtime tries in the foreground.
const RELEASE: Duration = Duration::from_secs(10);

/// A [`JobScheduler`] whose jobs all run under locks of one provider, each under the name it is added with.
///
/// A handle: clones share the scheduler and its jobs.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use shedlock_runtime::{InMemoryLockProvider, LockConfiguration};
/// use shedlock_tokio_cron_scheduler::LockedScheduler;
/// use tokio_cron_scheduler::JobScheduler;
///
/// async fn report() -> Result<(), std::io::Error> {
///     Ok(()) // An error would be logged.
/// }
///
/// let provider = InMemoryLockProvider::new();
/// let jobs = LockedScheduler::new(JobScheduler::new().await?, provider, "10m")?;
/// jobs.cron("0 */5 * * * *", "report", report).await?;
/// jobs.interval("30s", LockConfiguration::new("clean_up", "1h")?, || async {}).await?;
/// jobs.start().await?;
/// assert_eq!(jobs.shutdown("5s").await?.cancelled, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LockedScheduler {
    scheduler: JobScheduler,
    locks: LockingTaskExecutor,
    defaults: Defaults,
    running: Running,
    names: Arc<Mutex<HashMap<String, JobId>>>,
}

/// The result of [`LockedScheduler::shutdown`].
///
/// # Examples
///
/// ```
/// use shedlock_tokio_cron_scheduler::{JobError, LockedScheduler};
///
/// async fn stop(jobs: LockedScheduler) -> Result<(), JobError> {
///     let stopped = jobs.shutdown("20s").await?;
///     if stopped.still_running > 0 {
///         println!("{} jobs block their threads", stopped.still_running);
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// How many jobs were stopped, because they had not ended in time or were waiting for their locks. Their locks are free.
    pub cancelled: usize,
    /// How many of the `cancelled` jobs go on, because they block their threads and never await. Each of their locks becomes free when the job
    /// or the lease ends.
    pub still_running: usize,
}

impl LockedScheduler {
    /// Jobs of `scheduler` under locks of `provider`. `at_most` is the lease of locks that are given by name.
    ///
    /// # Errors
    ///
    /// An `at_most` that cannot be understood, is under a millisecond or over 36500 days.
    pub fn new(
        scheduler: JobScheduler,
        provider: impl LockProvider,
        at_most: impl ToDuration,
    ) -> Result<Self, JobError> {
        let at_most = at_most.to_duration()?;
        // The name is of no account: it is the duration that is checked, here rather than with the first job.
        LockConfiguration::new("default", at_most)?;
        Ok(Self {
            scheduler,
            locks: LockingTaskExecutor::new(provider),
            defaults: Defaults {
                at_most,
                at_least: Duration::ZERO,
            },
            running: Running::default(),
            names: Arc::default(),
        })
    }

    /// How long locks that are given by name stay taken after a short run, in place of what fits each job's ticks.
    ///
    /// # Errors
    ///
    /// A duration that cannot be understood or is over 36500 days.
    pub fn with_default_at_least(mut self, at_least: impl ToDuration) -> Result<Self, JobError> {
        self.defaults.at_least = at_least.to_duration()?;
        Ok(self)
    }

    /// Adds a job that is due when `schedule` says so, in UTC. `lock` is a name or a [`LockConfiguration`].
    ///
    /// # Errors
    ///
    /// A schedule that cannot be read or never comes; a name that is refused or has a job already; a scheduler that
    /// was shut down or fails.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped may have added the job; [`remove`](Self::remove) takes it away.
    pub async fn cron<F, Fut>(
        &self,
        schedule: impl AsRef<str>,
        lock: impl JobLock,
        body: F,
    ) -> Result<JobId, JobError>
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output: JobResult> + Send + 'static,
    {
        self.cron_tz(schedule, Utc, lock, body).await
    }

    /// Adds a job that is due when `schedule` says so in `zone`, also after the zone's clocks have changed.
    ///
    /// # Errors
    ///
    /// As [`cron`](Self::cron).
    ///
    /// # Cancel safety
    ///
    /// As [`cron`](Self::cron).
    pub async fn cron_tz<Z, F, Fut>(
        &self,
        schedule: impl AsRef<str>,
        zone: Z,
        lock: impl JobLock,
        body: F,
    ) -> Result<JobId, JobError>
    where
        Z: TimeZone<Offset: fmt::Display + Send + Sync> + Send + Sync + 'static,
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output: JobResult> + Send + 'static,
    {
        let config = lock.configuration(self.defaults)?;
        let name = config.name().as_str().to_owned();
        let lock = (self.locks.clone(), config, self.running.clone());
        self.add(name, job::cron(schedule.as_ref(), zone, lock, body)?)
            .await
    }

    /// Adds a job that is due every so many whole seconds on this node, and runs about that often on all together.
    ///
    /// # Errors
    ///
    /// An interval that cannot be understood, is zero or has fractions of a second; otherwise as [`cron`](Self::cron).
    ///
    /// # Cancel safety
    ///
    /// As [`cron`](Self::cron).
    pub async fn interval<F, Fut>(
        &self,
        every: impl ToDuration,
        lock: impl JobLock,
        body: F,
    ) -> Result<JobId, JobError>
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output: JobResult> + Send + 'static,
    {
        let config = lock.configuration(self.defaults)?;
        let name = config.name().as_str().to_owned();
        let lock = (self.locks.clone(), config, self.running.clone());
        self.add(name, job::interval(every.to_duration()?, lock, body)?)
            .await
    }

    async fn add(&self, name: String, job: Job) -> Result<JobId, JobError> {
        if self.running.bodies.is_closed() {
            return Err(JobError::ShutDown);
        }
        match self.names().entry(name.clone()) {
            Entry::Occupied(_) => return Err(JobError::NameTaken { name }),
            Entry::Vacant(place) => place.insert(job.guid()),
        };
        let added = self.scheduler.add(job).await;
        if added.is_err() {
            self.names().remove(&name);
        }
        Ok(added?)
    }

    fn names(&self) -> MutexGuard<'_, HashMap<String, JobId>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job away; a run of it goes on to its end. The answer is whether there was one of that name.
    ///
    /// # Errors
    ///
    /// The scheduler fails.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped may have taken the job away; it can be repeated.
    pub async fn remove(&self, name: &str) -> Result<bool, JobError> {
        let Some(id) = self.names().get(name).copied() else {
            return Ok(false);
        };
        self.scheduler.remove(&id).await?;
        // Unless it is another job's by now: who asked at the same moment may have been faster, and added it again.
        if self.names().get(name) == Some(&id) {
            self.names().remove(name);
        }
        Ok(true)
    }

    /// Begins to run what is due; jobs may be added before and after.
    ///
    /// # Errors
    ///
    /// The scheduler has been started or shut down already, or fails.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped may have started the scheduler.
    pub async fn start(&self) -> Result<(), JobError> {
        if self.running.bodies.is_closed() {
            return Err(JobError::ShutDown);
        }
        Ok(self.scheduler.start().await?)
    }

    /// Runs nothing more, lets running jobs end within `grace`, then stops the rest and gives their locks back.
    ///
    /// Takes no longer than `grace` and ten seconds. It is for good: a scheduler cannot be started again.
    ///
    /// # Errors
    ///
    /// A `grace` that cannot be understood, or a scheduler that fails.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped has ended the scheduling; running jobs may go on. It can be repeated.
    pub async fn shutdown(&self, grace: impl ToDuration) -> Result<Stopped, JobError> {
        let grace = grace.to_duration()?;
        let bodies = &self.running.bodies;
        bodies.close();
        self.scheduler.clone().shutdown().await?;
        let mut stopped = Stopped {
            cancelled: 0,
            still_running: 0,
        };
        if timeout(grace, bodies.wait()).await.is_err() {
            stopped.cancelled = bodies.len();
            self.running.cancel.cancel();
            if timeout(RELEASE, bodies.wait()).await.is_err() {
                stopped.still_running = bodies.len();
            }
        }
        Ok(stopped)
    }

    /// The scheduler itself, for its notifications and next ticks. A job that is added to it directly has no lock.
    #[must_use]
    pub fn scheduler(&self) -> &JobScheduler {
        &self.scheduler
    }
}

impl fmt::Debug for LockedScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockedScheduler")
            .field("locks", &self.locks)
            .field("jobs", &self.names().keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
