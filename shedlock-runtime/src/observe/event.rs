//! What happens to locks, as listeners and metrics see it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::values::error::LockError;
use crate::values::name::LockName;
use crate::values::outcome::SkipReason;

/// Something that happened to a lock.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LockEvent {
    /// When, by this machine's time of day.
    pub at: SystemTime,
    /// The lock.
    pub lock: LockName,
    /// What the name was made from, such as `sync-{tenant}`; the name itself where it was written out. The label to group
    /// by: there are as many templates as functions, and as many names as there is data.
    pub template: LockName,
    /// The provider's name, such as `postgres`.
    pub provider: &'static str,
    /// What happened.
    pub kind: EventKind,
}

/// What happened to a lock.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EventKind {
    /// The lock was taken.
    Acquired {
        /// The lease.
        at_most: Duration,
        /// How long the store took to say so.
        took: Duration,
        /// The fencing token, where the store keeps one.
        fencing_token: Option<u64>,
    },
    /// The lock was not to be had, so the call is skipped.
    Skipped {
        /// Why.
        reason: SkipReason,
        /// Who holds it, where the store says so.
        node: Option<Box<str>>,
        /// For how long at most, where the store says so.
        remaining: Option<Duration>,
        /// How long it took to learn so, with all that the call waited.
        took: Duration,
    },
    /// The store could not be asked for the lock: the body did not run.
    Failed(LockError),
    /// The store did not answer: what it may have granted is taken back.
    Indeterminate,
    /// It had granted the lock, and has it back.
    OrphanCleared,
    /// The lease was extended.
    Extended {
        /// To so long from now.
        at_most: Duration,
        /// What was left of it before.
        left: Duration,
        /// How late keep-alive was; `None` for an extension by hand.
        late: Option<Duration>,
    },
    /// Keep-alive could not extend the lease, and tries again.
    ExtendFailed {
        /// Why.
        error: LockError,
        /// What is left of the lease.
        left: Duration,
    },
    /// Four fifths of a lease are used that nobody extends.
    Expiring {
        /// What is left of it.
        left: Duration,
    },
    /// The runtime polled the task too late to keep its lock safe: something blocks the executor.
    Starved {
        /// By so much.
        late: Duration,
    },
    /// The lease is gone while its task runs.
    Lost(LossReason),
    /// The body ended after its lease.
    Overrun {
        /// By so much.
        late: Duration,
    },
    /// The body is over.
    Finished {
        /// How.
        outcome: RunOutcome,
        /// How long it had the lock.
        took: Duration,
    },
    /// The lock was given back.
    Released {
        /// How long it was held.
        held: Duration,
        /// How long it stays taken for its `at_least`.
        free_in: Duration,
    },
    /// The lock could not be given back, and that is tried again.
    ReleaseFailed {
        /// Why.
        error: LockError,
        /// When it frees itself.
        left: Duration,
    },
    /// There is no runtime, or no room, to give the lock back: it frees itself when its lease ends.
    Abandoned,
    /// An operator has paused the lock.
    Paused {
        /// When the pause ends, by the store's clock.
        until: SystemTime,
        /// Why.
        reason: Arc<str>,
    },
    /// An operator has ended a pause.
    Resumed,
    /// An operator has taken the lock from its holder.
    ForceReleased {
        /// Why.
        reason: Arc<str>,
    },
}

/// Why the lease of a running task is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LossReason {
    /// It ended by this node's own count.
    Deadline,
    /// The store says that the lock is not ours: it was released or paused by hand, deleted, or taken by somebody else.
    Stolen,
}

impl LossReason {
    /// The word in log lines and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Stolen => "stolen",
        }
    }
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RunOutcome {
    /// It returned, and no failure as far as can be told.
    Completed,
    /// It returned an `Err`, or what [`execute_with_failure_check`](crate::LockingTaskExecutor::execute_with_failure_check) takes for a failure.
    Failed,
    /// It panicked.
    Panicked,
    /// Somebody dropped it: a timeout, an abort.
    Dropped,
    /// It was cancelled because its lease was gone.
    Lost,
    /// It was cancelled by a shutdown.
    ShutDown,
}

impl RunOutcome {
    /// The word in log lines and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::Dropped => "dropped",
            Self::Lost => "lost",
            Self::ShutDown => "shut_down",
        }
    }
}

impl EventKind {
    /// The event's name, the same as in the log, where all have a line but `lock.finished`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Acquired { .. } => "lock.acquired",
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
            Self::Abandoned => "lock.abandoned",
            Self::Paused { .. } => "lock.paused",
            Self::Resumed => "lock.resumed",
            Self::ForceReleased { .. } => "lock.force_released",
        }
    }
}
