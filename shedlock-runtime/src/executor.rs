//! Running a future under a lock: the only place that polls a user's future.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;

use crate::config::LockConfiguration;
use crate::context;
use crate::error::LockError;
use crate::events;
use crate::gate::{Gate, OnLost};
use crate::guard;
use crate::outcome::Outcome;
use crate::provider::LockProvider;

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
        let task = pin!(Some(task));
        run(&self.provider, config, OnLost::Notify, task).await
    }
}

/// Runs `body`, which is there, under a lock, and leaves its place empty if it did.
pub(crate) async fn run<F: Future>(
    provider: &Arc<dyn LockProvider>,
    config: LockConfiguration,
    on_lost: OnLost,
    body: Pin<&mut Option<F>>,
) -> Result<Outcome<F::Output>, LockError> {
    if context::holds(provider, config.name().as_str()) {
        let body = body.as_pin_mut().expect("the caller put it there");
        return Ok(Outcome::Executed(body.await));
    }
    let name = config.name().clone();
    let lock = match guard::acquire(provider, config, context::innermost()).await? {
        Ok(lock) => lock,
        Err(refusal) => {
            events::skipped(&**provider, &name, &refusal);
            return Ok(Outcome::Skipped(refusal.reason));
        }
    };
    let result = Gate::new(body, Arc::clone(lock.state()), on_lost).await;
    if lock.remaining().is_none() {
        events::overrun(lock.state());
    }
    lock.release_after_task().await;
    result.map(Outcome::Executed).map_err(|error| {
        error.with_context(crate::Operation::Run, provider.info().name(), Some(&name))
    })
}
