//! One tick of a job: take the lock or skip, run, say what went wrong. It never panics and returns nothing, because the
//! scheduler has no use for either.

use std::any::Any;
use std::fmt;
use std::future::{Future, pending};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use shedlock_runtime::{ErrorValue as _, LockConfiguration, LockingTaskExecutor, Outcome};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::events;

/// How long a call to a store may go on after the end; half of what a shutdown waits for.
const ANSWER: Duration = Duration::from_secs(5);

/// What a job may return: `()`, or a `Result` whose error is logged at ERROR with the job's name.
///
/// # Examples
///
/// ```
/// use shedlock_tokio_cron_scheduler::JobResult;
///
/// assert_eq!(().failure(), None);
/// assert_eq!(Err::<(), _>("the printer is out of paper").failure().as_deref(), Some("the printer is out of paper"));
/// ```
#[diagnostic::on_unimplemented(
    message = "a job cannot return `{Self}`",
    label = "a job that returns `{Self}`",
    note = "return `()`, or a `Result` whose value is `Send` and whose error is `Display + Send`"
)]
pub trait JobResult: Send {
    /// The error, as text for the log; `None` if the job has not failed.
    fn failure(self) -> Option<String>;
}

impl JobResult for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<T: Send, E: fmt::Display + Send> JobResult for Result<T, E> {
    fn failure(self) -> Option<String> {
        // The long form: of errors that have one, it shows the causes too.
        self.err().map(|error| format!("{error:#}"))
    }
}

/// How a job's body ended, if it did not panic.
enum Ended {
    Well,
    Failed(String),
    Cancelled,
}

/// Which bodies of a scheduler are running, and the word to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Running {
    pub(crate) bodies: TaskTracker,
    pub(crate) cancel: CancellationToken,
}

/// A job, its lock, and what it runs.
pub(crate) struct Task<F> {
    pub(crate) locks: LockingTaskExecutor,
    pub(crate) config: LockConfiguration,
    pub(crate) running: Running,
    pub(crate) body: F,
}

impl<F, Fut> Task<F>
where
    F: Fn() -> Fut,
    Fut: Future<Output: JobResult>,
{
    /// Carries out one tick.
    pub(crate) async fn tick(&self) {
        let _running = self.running.bodies.token();
        // Asked after the token is taken: whoever waits for the tokens has closed the tracker before.
        if self.running.bodies.is_closed() {
            return;
        }
        let begun = AtomicBool::new(false);
        // The closure is called in here, too: a panic of it inside the scheduler's own call would poison the scheduler's
        // lock on the job, which would never run again.
        let run = AssertUnwindSafe(self.run_locked(&begun)).catch_unwind();
        let ran = tokio::select! {
            biased;
            ran = run => ran,
            // It may wait for its lock for hours.
            () = self.stopped_before(&begun) => Ok(()),
        };
        if let Err(panic) = ran {
            events::panicked(self.config.name(), &message(&*panic));
        }
    }

    /// Ends a little after the scheduler, unless the body has begun: that has its lock given back first.
    async fn stopped_before(&self, begun: &AtomicBool) {
        self.running.cancel.cancelled().await;
        // A store that has been asked may still grant the lock, and it is better given back than left behind.
        tokio::time::sleep(self.config.timeout().min(ANSWER)).await;
        if begun.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    }

    async fn run_locked(&self, begun: &AtomicBool) {
        // A run that was stopped is no success either.
        let has_failed = |ended: &Ended| !matches!(ended, Ended::Well);
        let run = self.run(begun);
        let run = self
            .locks
            .execute_with_failure_check(self.config.clone(), run, has_failed);
        match run.await {
            Ok(Outcome::Executed(Ended::Failed(error))) => {
                events::failed(self.config.name(), &error);
            }
            Ok(Outcome::Executed(Ended::Cancelled)) => {
                events::cancelled(self.config.name());
            }
            // The runtime has logged a skip, at DEBUG: on all nodes but one that is what a tick does.
            Ok(Outcome::Executed(Ended::Well) | Outcome::Skipped(_)) => {}
            // Logged as for a locked function that returns nothing: once, and then not at every tick.
            Err(error) => <()>::error_value(error),
        }
    }

    /// The body, inside the lock: one that is cancelled has its lock given back before anybody goes on.
    async fn run(&self, begun: &AtomicBool) -> Ended {
        begun.store(true, Ordering::Relaxed);
        if self.running.cancel.is_cancelled() {
            return Ended::Cancelled;
        }
        tokio::select! {
            biased;
            result = async { (self.body)().await.failure() } => {
                result.map_or(Ended::Well, Ended::Failed)
            }
            () = self.running.cancel.cancelled() => Ended::Cancelled,
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "with a value that is no text".to_owned())
}
