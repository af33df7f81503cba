//! Running a future under a lock: the only place that polls a user's future.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use crate::answer::Refusal;
use crate::config::LockConfiguration;
use crate::context;
use crate::error::{LockError, Operation};
use crate::events;
use crate::gate::{Gate, OnLost};
use crate::guard::{self, Lock};
use crate::outcome::Outcome;
use crate::pauses::pauses;
use crate::provider::LockProvider;
use crate::renewal::{self, Renewal};

/// Runs futures under locks of one provider: the attribute without the attribute.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockingTaskExecutor};
///
/// let executor = LockingTaskExecutor::new(InMemoryLockProvider::new());
/// let config = LockConfiguration::new("nightly_report", "10m")?;
/// let outcome = executor.execute(config, async { 42 }).await?;
/// assert_eq!(outcome.executed(), Some(42));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct LockingTaskExecutor {
    provider: Arc<dyn LockProvider>,
}

impl LockingTaskExecutor {
    /// An executor that takes its locks from `provider`.
    #[must_use]
    pub fn new(provider: impl LockProvider) -> Self {
        Self {
            provider: Arc::new(provider),
        }
    }

    /// Runs `task` if the lock is free, and skips it otherwise.
    ///
    /// A task that already holds this lock, with its lease still live, runs at once. The lock is given back when the
    /// task returns, panics or is dropped; a failure to give it back is logged and never changes the result.
    ///
    /// # Errors
    ///
    /// The store could not be asked: the task did not run.
    ///
    /// # Cancel safety
    ///
    /// A dropped call drops the task and gives the lock back in the background.
    pub async fn execute<F: Future>(
        &self,
        config: LockConfiguration,
        task: F,
    ) -> Result<Outcome<F::Output>, LockError> {
        if context::holds(&*self.provider, config.name().as_str()) {
            return Ok(Outcome::Executed(task.await));
        }
        let task = pin!(Some(task));
        run(&self.provider, &config, RunOptions::default(), task).await
    }
}

/// Whether a lease is extended while its body runs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum KeepAlive {
    #[default]
    Off,
    HalfLease,
    Every(Duration),
}

/// How a body runs under its lock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RunOptions {
    /// By default: cancel a body that is kept alive, notify any other.
    pub(crate) on_lost: Option<OnLost>,
    pub(crate) keep_alive: KeepAlive,
    /// Keep trying this long before skipping.
    pub(crate) wait: Duration,
}

/// Runs `body`, which is there, under a lock that this task does not hold yet, and leaves its place empty if it did.
pub(crate) async fn run<F: Future>(
    provider: &Arc<dyn LockProvider>,
    config: &LockConfiguration,
    options: RunOptions,
    body: Pin<&mut Option<F>>,
) -> Result<Outcome<F::Output>, LockError> {
    let at_most = config.at_most();
    let period = match options.keep_alive {
        KeepAlive::Off => None,
        KeepAlive::HalfLease => Some(at_most / 2),
        KeepAlive::Every(period) => Some(period),
    };
    if let Some(period) = period {
        renewal::check(at_most, period)?;
    }
    let answer = if options.wait.is_zero() {
        guard::acquire(provider, config, context::innermost()).await?
    } else {
        acquire_within(options.wait, provider, config).await?
    };
    let lock = match answer {
        Ok(lock) => lock,
        Err(refusal) => {
            events::skipped(&**provider, config.name(), &refusal);
            return Ok(Outcome::Skipped(refusal.reason));
        }
    };
    let state = lock.state();
    let kept = period.map(|period| Box::new(Renewal::new(Arc::clone(state), at_most, period)));
    let on_lost = options.on_lost.unwrap_or(if kept.is_some() {
        OnLost::Cancel
    } else {
        OnLost::Notify
    });
    let result = Gate::new(body, state, on_lost, kept).await;
    if lock.remaining().is_none() {
        events::overrun(lock.state());
    }
    lock.release_after_task().await;
    result.map(Outcome::Executed).map_err(|error| {
        let provider = provider.as_ref().info().name();
        error.with_context(Operation::Run, provider, Some(config.name()))
    })
}

/// Asks for the lock again and again while `wait` lasts.
async fn acquire_within(
    wait: Duration,
    provider: &Arc<dyn LockProvider>,
    config: &LockConfiguration,
) -> Result<Result<Lock, Refusal>, LockError> {
    let clock = provider.as_ref().info().clock();
    let until = clock.boot().saturating_add(wait);
    for pause in pauses(Duration::from_millis(25), Duration::from_secs(1)) {
        let answer = guard::acquire(provider, config, context::innermost()).await?;
        let left = until.saturating_since(clock.boot());
        if answer.is_ok() || left.is_zero() {
            return Ok(answer);
        }
        tokio::time::sleep(pause.min(left)).await;
    }
    unreachable!("the pauses have no end")
}
