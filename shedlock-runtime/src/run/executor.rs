//! Running a future under a lock: the only place that polls a user's future.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;

use crate::hold::guard;
use crate::observe::events::{self, HeldLock as _};
use crate::run::context;
use crate::run::gate::{Gate, IsFailure};
use crate::seam::provider::LockProvider;
use crate::values::config::LockConfiguration;
use crate::values::error::LockError;
use crate::values::outcome::Outcome;

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
    /// A task that already holds this lock with a live lease runs at once. The lock is released when the task returns,
    /// panics or is dropped; a failed release is logged and never changes the result. Whether the lock is kept alive, how long
    /// the call waits for it and what a loss does is set in `config`.
    ///
    /// # Errors
    ///
    /// The store could not be asked: the task did not run.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, the task is dropped with it and the lock is released in the background.
    pub fn execute<F: Future>(
        &self,
        config: LockConfiguration,
        task: F,
    ) -> impl Future<Output = Result<Outcome<F::Output>, LockError>> {
        self.execute_with_failure_check(config, task, |_| false)
    }

    /// Runs `task` as [`execute`](Self::execute) does, and asks `is_failure` about the value that the task returned. A failure
    /// is reported to listeners and metrics as [`RunOutcome::Failed`](crate::RunOutcome::Failed) and not as a success.
    ///
    /// The attribute does this for functions that return a `Result`.
    ///
    /// # Errors
    ///
    /// The store could not be asked: the task did not run.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, the task is dropped with it and the lock is released in the background.
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
    /// let task = async { Err::<(), _>("the printer is out of paper") };
    /// let outcome = executor.execute_with_failure_check(config, task, Result::is_err).await?;
    /// assert_eq!(outcome.executed(), Some(Err("the printer is out of paper")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn execute_with_failure_check<F: Future>(
        &self,
        config: LockConfiguration,
        task: F,
        is_failure: fn(&F::Output) -> bool,
    ) -> impl Future<Output = Result<Outcome<F::Output>, LockError>> {
        // On the heap: an async block keeps both its captures and what is pinned in it, so it would contain the task twice.
        let task = Box::pin(task);
        async move {
            if context::holds(&*self.provider, config.name().as_str()) {
                return Ok(Outcome::Executed(task.await));
            }
            run(&self.provider, &config, (pin!(Some(task)), is_failure)).await
        }
    }
}

/// Runs `body` under a lock that this task does not hold yet. The body must be there; it is taken out when it has run.
pub(crate) async fn run<F: Future>(
    provider: &Arc<dyn LockProvider>,
    config: &LockConfiguration,
    body: (Pin<&mut Option<F>>, IsFailure<F::Output>),
) -> Result<Outcome<F::Output>, LockError> {
    let span = events::run_span(config, provider.as_ref().info());
    // Pinned here, so that the span wraps a pointer and the future is not copied.
    let locked = pin!(async {
        let lock = match guard::acquire(provider, config, context::innermost()).await {
            Ok(Ok(lock)) => lock,
            Ok(Err(refusal)) => {
                events::record(&span, "lock.outcome", refusal.reason.as_str());
                return Ok(Outcome::Skipped(refusal.reason));
            }
            Err(error) => {
                events::record(&span, "lock.outcome", "error");
                return Err(error);
            }
        };
        let state = lock.state();
        if !span.is_disabled() {
            span.record("lock.node", &*state.node());
            span.record("lock.fencing_token", state.fencing_token());
        }
        let period = config.options().keep_alive.period(config.at_most());
        let result = Gate::new(body, state, config.options().on_lost(), period).await;
        let outcome = match &result {
            Ok(_) => "executed",
            Err(error) => error.kind().as_str(),
        };
        events::record(&span, "lock.outcome", outcome);
        lock.release_after_task().await;
        result.map(Outcome::Executed)
    });
    events::spanned(&span, locked).await
}
