//! How a locked call ended, and why it did not run.

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
    /// The call had the lock and ran to its end with this value.
    Executed(T),
    /// The call did not run.
    Skipped(SkipReason),
}

impl<T> Outcome<T> {
    /// The value of a call that ran.
    #[must_use]
    pub fn executed(self) -> Option<T> {
        match self {
            Self::Executed(value) => Some(value),
            Self::Skipped(_) => None,
        }
    }

    /// Why the call did not run.
    #[must_use]
    pub fn skipped(&self) -> Option<SkipReason> {
        match self {
            Self::Executed(_) => None,
            Self::Skipped(reason) => Some(*reason),
        }
    }

    /// Whether the call ran.
    #[must_use]
    pub fn was_executed(&self) -> bool {
        matches!(self, Self::Executed(_))
    }
}

/// Why a call did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// Somebody holds the lock, or an ended run still keeps it for its `at_least`.
    Held,
    /// Others asked at the same moment and one of them was first. A store that is busy for other reasons is an error.
    Contended,
    /// An operator has paused the lock.
    Paused,
    /// The run for this slot, instant or step was begun or done before.
    AlreadyRan,
    /// The step before this one is not done.
    Gap,
    /// All attempts at this slot, instant or step are used up, and none has ended well.
    Exhausted,
    /// The store failed and the function's return type has no other way to say so; the error is in the log.
    StoreError,
    /// The call began and was cancelled, because its lease was gone.
    Lost,
    /// The process is shutting down: the call did not begin, or was cancelled.
    ShuttingDown,
}

impl SkipReason {
    /// What a call that did not run to its end because of `error` counts as.
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

    /// The word in log fields and metrics.
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
