//! One tick of a job: take the lock or skip, run the job, log what went wrong. A tick never panics and returns nothing, because
//! the scheduler handles neither a panic nor a result.

use std::any::Any;
use std::fmt;
use std::future::{Future, pending};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use shedlock_runtime::{
    ErrorKind, ErrorValue as _, LockConfiguration, LockError, LockingTaskExecutor, Outcome,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::events;
use crate::sharing::Ticking;

/// How long a call to a store may continue after a shutdown has cancelled the jobs: half of the time that the shutdown waits for.
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
    /// The error as text for the log; `None` if the job has not failed.
    fn failure(self) -> Option<String>;
}

impl JobResult for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<T: Send, E: fmt::Display + Send> JobResult for Result<T, E> {
    fn failure(self) -> Option<String> {
        // The alternate form, in which some errors also show their causes.
        self.err().map(|error| format!("{error:#}"))
    }
}

/// How a job's body ended, if it did not panic.
enum Ended {
    Well,
    Failed(String),
    Cancelled,
}

impl Ended {
    /// The error of a run that is no success.
    fn error(&self) -> Option<&dyn fmt::Display> {
        match self {
            Self::Well => None,
            Self::Failed(error) => Some(error),
            Self::Cancelled => Some(&"the scheduler was shut down"),
        }
    }
}

/// The running bodies of a scheduler, and the token that cancels them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Running {
    pub(crate) bodies: TaskTracker,
    pub(crate) cancel: CancellationToken,
}

/// How long a job does without instants after its store has refused one, for want of columns in a table.
const WITHOUT: Duration = Duration::from_secs(60 * 60);

/// Whether the ticks of a job are told apart by their times.
#[derive(Debug)]
pub(crate) struct Instants {
    are_wanted: bool,
    refused: Mutex<Option<Instant>>,
}

impl Instants {
    pub(crate) fn new(are_wanted: bool) -> Self {
        Self {
            are_wanted,
            refused: Mutex::default(),
        }
    }

    fn refused(&self) -> MutexGuard<'_, Option<Instant>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the next tick is an instant.
    fn are_used(&self) -> bool {
        self.are_wanted
            && self
                .refused()
                .is_none_or(|refused| refused.elapsed() > WITHOUT)
    }
}

/// Lets a log line through once a minute.
#[derive(Debug, Default)]
pub(crate) struct OnceAMinute(Mutex<Option<Instant>>);

impl OnceAMinute {
    pub(crate) fn is_due(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| last.elapsed() >= Duration::from_secs(60));
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }
}

/// A job: its lock and its body.
pub(crate) struct Task<F> {
    pub(crate) locks: LockingTaskExecutor,
    pub(crate) config: LockConfiguration,
    /// Whether the time of a tick is the instant of its run, so that the tick has at most one run.
    pub(crate) instants: Instants,
    pub(crate) _ticking: Option<Ticking>,
    pub(crate) no_provider: OnceAMinute,
    pub(crate) missed: OnceAMinute,
    pub(crate) running: Running,
    pub(crate) body: F,
}

impl<F, Fut> Task<F>
where
    F: Fn() -> Fut,
    Fut: Future<Output: JobResult>,
{
    /// Carries out the tick that is scheduled for `at`; `None` if other nodes do not have the same tick.
    pub(crate) async fn tick(&self, at: Option<SystemTime>) {
        let _running = self.running.bodies.token();
        // Checked after the token is taken: a shutdown closes the tracker before it waits for the tokens.
        if self.running.bodies.is_closed() {
            return;
        }
        let begun = AtomicBool::new(false);
        // The closure is called inside this future as well: if the closure panicked inside the scheduler's own call, the panic would
        // poison the scheduler's mutex of the job, and the job would never run again.
        let run = AssertUnwindSafe(self.run_locked(at, &begun)).catch_unwind();
        let ran = tokio::select! {
            biased;
            ran = run => ran,
            // Without this branch, a run could wait for its lock for hours.
            () = self.stopped_before(&begun) => Ok(()),
        };
        if let Err(panic) = ran {
            events::panicked(self.config.name(), &message(&*panic));
        }
    }

    /// Resolves a little after the scheduler has cancelled its jobs, unless the body has begun: the lock of such a body is released first.
    async fn stopped_before(&self, begun: &AtomicBool) {
        self.running.cancel.cancelled().await;
        // The store may still grant a lock for a request that is on its way; waiting for the answer allows a release of that lock.
        tokio::time::sleep(self.config.timeout().min(ANSWER)).await;
        if begun.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    }

    /// The configuration for the tick that is scheduled for `at`. The flag tells whether the tick is its instant.
    fn config(&self, at: Option<SystemTime>) -> (LockConfiguration, bool) {
        let config = self.config.clone();
        match at {
            Some(at) if self.instants.are_used() => {
                match config.clone().with_instant(at) {
                    Ok(once) => (once, true),
                    // The machine's clock is before 1970.
                    Err(_) => (config, false),
                }
            }
            _ => (config, false),
        }
    }

    async fn run_locked(&self, at: Option<SystemTime>, begun: &AtomicBool) {
        let (config, has_instant) = self.config(at);
        let mut ran = self.execute(config, begun).await;
        if has_instant
            && let Err(error) = &ran
            && is_for_want_of_positions(error)
        {
            let without = self.execute(self.config.clone(), begun).await;
            if without.is_ok() {
                *self.instants.refused() = Some(Instant::now());
                events::ticks_are_alike(self.config.name(), error);
            }
            ran = without;
        }
        match ran {
            Ok(Outcome::Executed(Ended::Failed(error))) => {
                events::failed(self.config.name(), &error);
            }
            Ok(Outcome::Executed(Ended::Cancelled)) => {
                events::cancelled(self.config.name());
            }
            // `shedlock-runtime` has logged a skip at DEBUG: a skip is the normal result of a tick on all nodes but one.
            Ok(Outcome::Executed(Ended::Well) | Outcome::Skipped(_)) => {}
            // A function would panic. A router does not know a tenant, and may know it at the next tick.
            Err(error) if error.kind() == ErrorKind::NoProvider => {
                if self.no_provider.is_due() {
                    events::no_provider(self.config.name(), &error);
                }
            }
            // Logged as for a locked function that returns `()`: at most once a minute, and not at every tick.
            Err(error) => <()>::error_value(error),
        }
    }

    /// Takes the lock and runs the body, or skips it.
    async fn execute(
        &self,
        config: LockConfiguration,
        begun: &AtomicBool,
    ) -> Result<Outcome<Ended>, LockError> {
        let run = self.run(begun);
        self.locks
            .execute_with_error(config, run, Ended::error)
            .await
    }

    /// Runs the body under the lock. If the body is cancelled, the executor releases the lock before the tick ends.
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

/// Whether a store may have refused an instant because it keeps no positions: that a table lacks the columns is known only now. If
/// something else is wrong with the table, a request without an instant fails, too.
fn is_for_want_of_positions(error: &LockError) -> bool {
    matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Schema)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "with a value that is no text".to_owned())
}
