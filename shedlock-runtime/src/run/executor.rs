//! Running a future under a lock: the only place that polls a user's future.

use std::fmt::Display;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;

use crate::hold::acquire::acquire;
use crate::observe::events::{self, HeldLock as _};
use crate::run::context;
use crate::run::gate::{ErrorOf, Gate};
use crate::seam::info::ProviderInfo;
use crate::seam::provider::LockProvider;
use crate::values::config::LockConfiguration;
use crate::values::error::LockError;
use crate::values::outcome::Outcome;

/// Runs futures under locks of one provider, for code that does not use the attribute `#[scheduler_lock]`.
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
    /// Creates an executor that takes its locks from `provider`.
    #[must_use]
    pub fn new(provider: impl LockProvider) -> Self {
        Self {
            provider: Arc::new(provider),
        }
    }

    /// What the provider of this executor says about itself: its name, node, clock and capabilities.
    #[must_use]
    pub fn info(&self) -> &ProviderInfo {
        self.provider.as_ref().info()
    }

    /// Runs `task` if the lock is free, and skips `task` otherwise.
    ///
    /// If the calling task already holds this lock and the lease has not ended, `task` runs at once under that lock. The lock is released
    /// when `task` returns, panics or is dropped. A failed release is logged and never changes the result. `config` sets whether the lease
    /// is extended while `task` runs, how long the call waits for the lock, and what happens to `task` if the lock is lost.
    ///
    /// # Errors
    ///
    /// The error of the acquisition, if the store could not be asked or refused the request: `task` did not run.
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the calling task holds this lock for another slot, instant or step than
    /// `config` asks for: `task` did not run.
    /// [`ErrorKind::Lost`](crate::ErrorKind::Lost) or [`ErrorKind::ShutDown`](crate::ErrorKind::ShutDown) if `task` was cancelled.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, `task` is dropped as well, and the lock is released in the background.
    pub fn execute<F: Future>(
        &self,
        config: LockConfiguration,
        task: F,
    ) -> impl Future<Output = Result<Outcome<F::Output>, LockError>> {
        self.execute_with_failure_check(config, task, |_| false)
    }

    /// Runs `task` as [`execute`](Self::execute) does, and calls `is_failure` with the value that `task` returned. If `is_failure` returns
    /// true, listeners and metrics get [`RunOutcome::Failed`](crate::RunOutcome::Failed) instead of
    /// [`RunOutcome::Completed`](crate::RunOutcome::Completed), and the slot, instant or step that `config` asks for is not marked as done.
    ///
    /// The attribute `#[scheduler_lock]` does the same for functions that return a `Result`: an `Err` is a failure.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, `task` is dropped as well, and the lock is released in the background.
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
        self.execute_and_look(config, task, move |value| {
            is_failure(value).then_some(&"" as _)
        })
    }

    /// Runs `task` as [`execute_with_failure_check`](Self::execute_with_failure_check) does, and calls `error_of` with the value that `task`
    /// returned. If `error_of` returns an error, the run has failed, and the provider's history, if it keeps one, has the error's text.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, `task` is dropped as well, and the lock is released in the background.
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
    /// let outcome = executor.execute_with_error(config, task, |printed| printed.as_ref().err().map(|error| error as _)).await?;
    /// assert_eq!(outcome.executed(), Some(Err("the printer is out of paper")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn execute_with_error<F: Future>(
        &self,
        config: LockConfiguration,
        task: F,
        error_of: for<'v> fn(&'v F::Output) -> Option<&'v dyn Display>,
    ) -> impl Future<Output = Result<Outcome<F::Output>, LockError>> {
        self.execute_and_look(config, task, error_of)
    }

    fn execute_and_look<F: Future>(
        &self,
        config: LockConfiguration,
        task: F,
        error_of: impl ErrorOf<F::Output>,
    ) -> impl Future<Output = Result<Outcome<F::Output>, LockError>> {
        // On the heap: an async block stores both its captures and what is pinned in the block, so it would contain the task twice.
        let task = Box::pin(task);
        async move {
            let (name, wanted) = (config.name().as_str(), config.options().wanted);
            if context::holds(&*self.provider, name, wanted)? {
                return Ok(Outcome::Executed(task.await));
            }
            run(&self.provider, &config, (pin!(Some(task)), error_of)).await
        }
    }
}

/// Runs `body` under a lock that this task does not hold yet. `body` must be `Some`, and is `None` once the body has run.
pub(crate) async fn run<F: Future>(
    provider: &Arc<dyn LockProvider>,
    config: &LockConfiguration,
    body: (Pin<&mut Option<F>>, impl ErrorOf<F::Output>),
) -> Result<Outcome<F::Output>, LockError> {
    let span = events::run_span(config, provider.as_ref().info());
    // Pinned here, so that the span wraps a pointer and the future is not copied.
    let locked = pin!(async {
        let lock = match acquire(provider, config, context::innermost()).await {
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
        // The guard is in nobody's hands: when the body has ended, the lock is released.
        state.give_up();
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
