//! The events of locks, as listeners and metrics receive them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::seam::predecessor::Predecessor;
use crate::values::error::LockError;
use crate::values::name::LockName;
use crate::values::outcome::{RunOutcome, SkipReason};
use crate::values::position::Position;

/// One event of one lock, as a [`LockListener`](crate::LockListener) receives it.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{EventKind, LockEvent};
///
/// /// What a chat channel is told.
/// fn alert(event: &LockEvent) -> Option<String> {
///     match &event.kind {
///         EventKind::Lost(reason) => Some(format!("{} was lost: {}", event.lock, reason.as_str())),
///         EventKind::Overrun { late } => Some(format!("{} ran {late:?} past its lease", event.lock)),
///         _ => None,
///     }
/// }
/// # let _listener: fn(&LockEvent) -> Option<String> = alert;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LockEvent {
    /// When the event happened, by this machine's time of day.
    pub at: SystemTime,
    /// The name of the lock.
    pub lock: LockName,
    /// The template that the lock's name was made from, such as `sync-{tenant}`; the name itself if there is no template.
    ///
    /// Group events by this field. A program has as many templates as locked functions, and as many names as its data has keys.
    pub template: LockName,
    /// The provider's name, such as `postgres`.
    pub provider: &'static str,
    /// What happened to the lock.
    pub kind: EventKind,
}

/// What happened to a lock.
///
/// [`name`](Self::name) returns the name of the event, as in the log. The page `observability/README.md` of the repository has a table of
/// all events with their log lines and metrics.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use shedlock_runtime::EventKind;
///
/// let event = EventKind::Overrun { late: Duration::from_millis(1500) };
/// assert_eq!(event.name(), "lock.overrun");
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EventKind {
    /// The store granted the lock to this process.
    Acquired {
        /// The lease that was granted, counted from the request.
        at_most: Duration,
        /// How long the successful request took, from before it was sent until its answer.
        took: Duration,
        /// The fencing token of the lease; `None` if the store has no fencing tokens.
        fencing_token: Option<u64>,
    },
    /// The store granted the lock to this process after another holder's lease had ended without a release. The lock event
    /// [`Acquired`](Self::Acquired) follows.
    ///
    /// The holder's node crashed, was cut off from the store, or ran for longer than its lease; its run may be unfinished. A JVM node's
    /// crash is not reported, because its record does not tell a crash from a release.
    TakenOver(Predecessor),
    /// The store refused the lock, so the call is skipped.
    Skipped {
        /// Why the call is skipped.
        reason: SkipReason,
        /// The node that holds the lock; `None` if the store does not say.
        node: Option<Box<str>>,
        /// How long the lock stays taken if its holder neither extends nor releases the lock; `None` if the store does not say.
        remaining: Option<Duration>,
        /// How long the call took until it was refused, including its `wait`.
        took: Duration,
    },
    /// The acquisition failed with an error: the body did not run.
    Failed(LockError),
    /// An acquisition got no answer. If the store may have granted the lock, a background task releases the lock.
    Indeterminate,
    /// After an acquisition without an answer, the store turned out to have granted the lock; the lock has now been released.
    OrphanCleared,
    /// The lease was extended.
    Extended {
        /// The new length of the lease, counted from the extension.
        at_most: Duration,
        /// How much time was left of the old lease when the lease was extended.
        left: Duration,
        /// How late keep-alive began the extension; `None` if the program called `extend`.
        late: Option<Duration>,
    },
    /// Keep-alive could not extend the lease, and will try again.
    ExtendFailed {
        /// Why the extension failed.
        error: LockError,
        /// How long the lease still lasts.
        left: Duration,
    },
    /// Four fifths of a lease without keep-alive have passed.
    Expiring {
        /// How long the lease still lasts.
        left: Duration,
    },
    /// The async runtime polled the task too late to keep its lock safe: something blocks the executor.
    Starved {
        /// How much later than due the task was polled.
        late: Duration,
    },
    /// The lease ended, or another holder got the lock, while the task was running.
    Lost(LossReason),
    /// The body ended after its lease had ended.
    Overrun {
        /// How long after the end of the lease the body ended.
        late: Duration,
    },
    /// The body ended.
    Finished {
        /// How the body ended.
        outcome: RunOutcome,
        /// How long the process had held the lock by then.
        took: Duration,
        /// The slot, instant or step of the run; `None` if the lock asks for none, or only for one run of a text.
        position: Option<Position>,
    },
    /// The lock was released, and the store has confirmed the release.
    Released {
        /// How long the process held the lock.
        held: Duration,
        /// How long the lock stays taken for its `at_least` after the release; zero if it is free now.
        free_in: Duration,
    },
    /// The release failed, and will be tried again in the background.
    ReleaseFailed {
        /// Why the release failed.
        error: LockError,
        /// How long the lock stays taken if no further release succeeds.
        left: Duration,
    },
    /// A run that has ended could not be entered in the provider's history, or old runs could not be deleted from the history. The lock and
    /// the run are not affected.
    HistoryFailed {
        /// Why the entry could not be written.
        error: LockError,
    },
    /// Old claims of texts could not be deleted; a later run of the lock tries again. The lock and the run are not affected.
    CleanUpFailed {
        /// Why the claims could not be deleted.
        error: LockError,
    },
    /// The lock cannot be released, because its async runtime has ended or too many releases are waiting. The lock stays taken until its
    /// lease ends.
    Abandoned,
    /// An operator paused the lock.
    Paused {
        /// When the pause ends, by the store's clock.
        until: SystemTime,
        /// The reason that the operator gave.
        reason: Arc<str>,
    },
    /// An operator ended a pause of the lock.
    Resumed,
    /// An operator released the lock against its holder.
    ForceReleased {
        /// The reason that the operator gave.
        reason: Arc<str>,
    },
}

/// Why a running task has lost its lock.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::LossReason;
///
/// // The word in log lines and metrics.
/// assert_eq!(LossReason::Deadline.as_str(), "deadline");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LossReason {
    /// The lease ended, measured by this node's forward clock.
    Deadline,
    /// The store says that the record no longer belongs to this holder: an operator released or paused the lock, somebody deleted the
    /// record, or another node took the lock.
    Stolen,
}

impl LossReason {
    /// The word for this reason in log lines and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Stolen => "stolen",
        }
    }
}

impl EventKind {
    /// The name of the event, such as `lock.acquired`. The log line about the event has the same name; `lock.finished` has no line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Acquired { .. } => "lock.acquired",
            Self::TakenOver(_) => "lock.taken_over",
            Self::Skipped { .. } => "lock.skipped",
            Self::Failed(_) => "lock.error",
            Self::Indeterminate => "lock.indeterminate",
            Self::OrphanCleared => "lock.orphan_cleared",
            Self::Extended { .. } => "lock.extended",
            Self::ExtendFailed { .. } => "lock.extend_failed",
            Self::Expiring { .. } => "lock.expiring",
            Self::Starved { .. } => "lock.starved",
            Self::Lost(_) => "lock.lost",
            Self::Overrun { .. } => "lock.overrun",
            Self::Finished { .. } => "lock.finished",
            Self::Released { .. } => "lock.released",
            Self::ReleaseFailed { .. } => "lock.release_failed",
            Self::HistoryFailed { .. } => "lock.history_failed",
            Self::CleanUpFailed { .. } => "lock.clean_up_failed",
            Self::Abandoned => "lock.abandoned",
            Self::Paused { .. } => "lock.paused",
            Self::Resumed => "lock.resumed",
            Self::ForceReleased { .. } => "lock.force_released",
        }
    }
}
