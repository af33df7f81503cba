//! Whether a locked call ran, and why it did not.

use std::fmt;

use crate::values::error::{ErrorKind, LockError};

/// Whether a locked call ran.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{Outcome, SkipReason};
///
/// assert_eq!(Outcome::Executed(42).executed(), Some(42));
/// assert_eq!(Outcome::<u32>::Skipped(SkipReason::Held).executed(), None);
/// ```
#[must_use = "a skipped call did no work; look whether it ran"]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome<T> {
    /// The body ran to its end under the lock, and returned this value.
    Executed(T),
    /// The body did not run, or did not run to its end.
    Skipped(SkipReason),
}

impl<T> Outcome<T> {
    /// The value that the body returned; `None` if the call was skipped.
    #[must_use]
    pub fn executed(self) -> Option<T> {
        match self {
            Self::Executed(value) => Some(value),
            Self::Skipped(_) => None,
        }
    }

    /// Why the call was skipped; `None` if the body ran to its end.
    #[must_use]
    pub fn skipped(&self) -> Option<SkipReason> {
        match self {
            Self::Executed(_) => None,
            Self::Skipped(reason) => Some(*reason),
        }
    }

    /// Whether the body ran to its end under the lock.
    #[must_use]
    pub fn was_executed(&self) -> bool {
        matches!(self, Self::Executed(_))
    }
}

/// Why a locked call was skipped.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{Outcome, SkipReason};
///
/// fn log(outcome: &Outcome<()>) -> String {
///     match outcome {
///         Outcome::Executed(()) => "done".to_owned(),
///         Outcome::Skipped(SkipReason::Held) => "another node does it".to_owned(),
///         Outcome::Skipped(reason) => format!("not done: {reason}"),
///     }
/// }
/// assert_eq!(log(&Outcome::Skipped(SkipReason::Paused)), "not done: paused");
/// assert_eq!(SkipReason::ShuttingDown.as_str(), "shutting_down");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// Another run holds the lock, or a run that has ended keeps the lock taken for its `at_least`.
    Held,
    /// Another node asked at the same moment and got the lock. A store that is busy for any other reason is an error.
    Contended,
    /// An operator has paused the lock.
    Paused,
    /// A run for this slot, instant or step has begun or ended before.
    AlreadyRan,
    /// The step before this step has not ended well.
    Gap,
    /// All attempts at this slot, instant or step are used up, and none has ended well.
    Exhausted,
    /// The store failed, and the function's return type cannot carry the error. The error is in the log.
    StoreError,
    /// The body began, and was cancelled because its lock was lost.
    Lost,
    /// The process is shutting down: the body did not begin, or was cancelled.
    ShuttingDown,
}

impl SkipReason {
    /// The reason for a call whose body did not run to its end because of `error`.
    #[must_use]
    pub fn from_error(error: &LockError) -> Self {
        match error.kind() {
            ErrorKind::Lost => Self::Lost,
            ErrorKind::ShutDown => Self::ShuttingDown,
            _ => Self::StoreError,
        }
    }

    /// Whether asking again soon can have another answer.
    pub(crate) const fn may_pass(self) -> bool {
        !matches!(self, Self::AlreadyRan | Self::Gap | Self::Exhausted)
    }

    /// The word for this reason in log fields and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Contended => "contended",
            Self::Paused => "paused",
            Self::AlreadyRan => "already_ran",
            Self::Gap => "gap",
            Self::Exhausted => "exhausted",
            Self::StoreError => "store_error",
            Self::Lost => "lost",
            Self::ShuttingDown => "shutting_down",
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Held => "held",
            Self::Contended => "contended",
            Self::Paused => "paused",
            Self::AlreadyRan => "it ran already",
            Self::Gap => "the step before it is not done",
            Self::Exhausted => "all attempts are used up",
            Self::StoreError => "store error",
            Self::Lost => "lost",
            Self::ShuttingDown => "shutting down",
        })
    }
}

/// How the body of a locked call ended.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{EventKind, LockEvent, RunOutcome};
///
/// fn is_success(event: &LockEvent) -> bool {
///     matches!(event.kind, EventKind::Finished { outcome: RunOutcome::Completed, .. })
/// }
/// # let _check: fn(&LockEvent) -> bool = is_success;
/// // The word in log lines and metrics.
/// assert_eq!(RunOutcome::ShutDown.as_str(), "shut_down");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RunOutcome {
    /// The body returned a value that is not known to be a failure.
    Completed,
    /// The body returned an `Err`, or a value that the check of
    /// [`execute_with_failure_check`](crate::LockingTaskExecutor::execute_with_failure_check) calls a failure.
    Failed,
    /// The body panicked.
    Panicked,
    /// The caller dropped the body before it returned, as a timeout or an abort does.
    Dropped,
    /// The runtime cancelled the body because its lease had ended or its lock was lost.
    Lost,
    /// A shutdown cancelled the body.
    ShutDown,
    /// The lease ended and nobody released the lock: the node crashed, was cut off from the store, or ran past its lease. Only in a
    /// [history](crate::RunHistory), where the node that took over enters it.
    Crashed,
}

impl RunOutcome {
    /// The word for this outcome in log lines, metrics and histories.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::Dropped => "dropped",
            Self::Lost => "lost",
            Self::ShutDown => "shut_down",
            Self::Crashed => "crashed",
        }
    }

    /// The outcome for which [`as_str`](Self::as_str) returns `word`; `None` if there is none. For stores that keep a history.
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_runtime::RunOutcome;
    ///
    /// assert_eq!(RunOutcome::from_word("panicked"), Some(RunOutcome::Panicked));
    /// assert_eq!(RunOutcome::from_word("won"), None);
    /// ```
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [
            Self::Completed,
            Self::Failed,
            Self::Panicked,
            Self::Dropped,
            Self::Lost,
            Self::ShutDown,
            Self::Crashed,
        ];
        all.into_iter().find(|outcome| outcome.as_str() == word)
    }
}
