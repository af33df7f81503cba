//! A scheduler all of whose jobs run under locks.

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
use crate::job::{self, Lock};
use crate::lock::{Defaults, JobLock, TickLock};
use crate::run::{JobResult, Running};

/// How long a cancelled job may take to release its lock. Longer than the time limit of a release in the foreground.
const RELEASE: Duration = Duration::from_secs(10);

/// A [`JobScheduler`] whose jobs all run under locks of one provider. The name of each lock is the name with which the job was added.
///
/// Clones of a `LockedScheduler` share the scheduler and its jobs.
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
    /// How many jobs were cancelled, because they had not ended in time or were waiting for their locks. Except for the jobs that are
    /// [still running](Stopped::still_running), the locks of these jobs are free.
    pub cancelled: usize,
    /// How many of the [`cancelled`](Stopped::cancelled) jobs continue to run, because they block their threads and never await. The lock
    /// of such a job becomes free when the job or the lease ends.
    pub still_running: usize,
}

impl LockedScheduler {
    /// Creates a scheduler that runs the jobs of `scheduler` under locks of `provider`. `at_most` is the lease of locks that are given by
    /// name.
    ///
    /// # Errors
    ///
    /// `at_most` cannot be parsed, is shorter than a millisecond or longer than 36500 days.
    pub fn new(
        scheduler: JobScheduler,
        provider: impl LockProvider,
        at_most: impl ToDuration,
    ) -> Result<Self, JobError> {
        let at_most = at_most.to_duration()?;
        // Checks the duration now instead of at the first job. The name does not matter.
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

    /// Sets the `at_least` of locks that are given by name. Without this setting, each such lock has an `at_least` that fits the ticks of
    /// its job.
    ///
    /// # Errors
    ///
    /// `at_least` cannot be parsed or is longer than 36500 days.
    pub fn with_default_at_least(mut self, at_least: impl ToDuration) -> Result<Self, JobError> {
        self.defaults.at_least = at_least.to_duration()?;
        Ok(self)
    }

    /// Adds a job that is due at the ticks of `schedule`, in UTC. `lock` is a name or a [`LockConfiguration`].
    ///
    /// # Errors
    ///
    /// `schedule` cannot be parsed or has no tick in the future; the name of the lock is refused, or the scheduler already has a job with
    /// this name; the scheduler was shut down or fails.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, the job may have been added. [`remove`](Self::remove) removes the job.
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

    /// Adds a job that is due at the ticks of `schedule` in the time zone `zone`, also after the offset of the zone has changed.
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
        let lock = lock.lock(self.defaults)?;
        let name = lock.config.name().as_str().to_owned();
        let lock = self.of_job(lock);
        self.add(name, job::cron(schedule.as_ref(), zone, lock, body)?)
            .await
    }

    /// Adds a job that is due every `interval`, a whole number of seconds. The default `at_least` makes the job run about once per interval
    /// on all nodes together.
    ///
    /// # Errors
    ///
    /// The interval cannot be parsed, is zero or has fractions of a second; otherwise as [`cron`](Self::cron).
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
        let lock = lock.lock(self.defaults)?;
        let name = lock.config.name().as_str().to_owned();
        let lock = self.of_job(lock);
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

    fn of_job(&self, lock: TickLock) -> Lock {
        Lock {
            locks: self.locks.clone(),
            wanted: lock,
            running: self.running.clone(),
            is_unique: true,
        }
    }

    fn names(&self) -> MutexGuard<'_, HashMap<String, JobId>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the job whose lock has the name `name`. A run in progress continues to its end. Returns whether there was such a job.
    ///
    /// # Errors
    ///
    /// The scheduler fails.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, the job may have been removed. The call can be repeated.
    pub async fn remove(&self, name: &str) -> Result<bool, JobError> {
        let Some(id) = self.names().get(name).copied() else {
            return Ok(false);
        };
        self.scheduler.remove(&id).await?;
        // Only if the name still belongs to this job: a concurrent call may have removed the job and added another one under the name.
        if self.names().get(name) == Some(&id) {
            self.names().remove(name);
        }
        Ok(true)
    }

    /// Starts the scheduler. Jobs can be added before and after the start.
    ///
    /// # Errors
    ///
    /// The scheduler has already been started or shut down, or fails.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, the scheduler may have been started.
    pub async fn start(&self) -> Result<(), JobError> {
        if self.running.bodies.is_closed() {
            return Err(JobError::ShutDown);
        }
        Ok(self.scheduler.start().await?)
    }

    /// Shuts the scheduler down: starts no further runs, waits up to `grace` for the running jobs, then cancels the remaining jobs and
    /// releases their locks.
    ///
    /// The call takes at most `grace` plus ten seconds. A scheduler that was shut down cannot be started again.
    ///
    /// # Errors
    ///
    /// `grace` cannot be parsed, or the scheduler fails.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, no further runs start, but running jobs may continue. The call can be repeated.
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

    /// The underlying [`JobScheduler`], for notifications and for the time of the next tick. A job that is added to the [`JobScheduler`]
    /// directly has no lock.
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
