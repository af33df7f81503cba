//! What failed, and at what.

use std::fmt;

/// What sort of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text cannot name a lock, here or in this store.
    InvalidName,
    /// The duration is unparsable, zero, negative or too long.
    InvalidDuration,
    /// The call lacks something that only the program can supply, such as `at_most`.
    Configuration,
    /// No provider is registered, or none of that name.
    NoProvider,
    /// The store has no table, bucket or index as expected.
    Schema,
    /// The store's user may not do this.
    Permission,
    /// The store takes no writes at present: a replica, or a server in read-only mode.
    ReadOnly,
    /// The store could not be reached, or was busy, full or ending to the last: it has not done what it was asked.
    Unavailable,
    /// The store did not answer in time; it may have done what it was asked.
    Timeout,
    /// The connection broke before the answer came; the store may have done what it was asked.
    Indeterminate,
    /// The lease has ended, or somebody else has the lock now.
    Lost,
    /// The process is shutting down, so the task was cancelled.
    ShutDown,
    /// The store cannot do this at all.
    Unsupported,
    /// Anything else the store reported.
    Other,
}

impl ErrorKind {
    /// Whether the same call may succeed later, without anybody changing anything.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::ReadOnly | Self::Unavailable | Self::Timeout | Self::Indeterminate
        )
    }

    /// The word in log fields and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidName => "invalid_name",
            Self::InvalidDuration => "invalid_duration",
            Self::Configuration => "configuration",
            Self::NoProvider => "no_provider",
            Self::Schema => "schema",
            Self::Permission => "permission",
            Self::ReadOnly => "read_only",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Indeterminate => "indeterminate",
            Self::Lost => "lost",
            Self::ShutDown => "shut_down",
            Self::Unsupported => "unsupported",
            Self::Other => "other",
        }
    }

    /// Whether the store may have carried out the request all the same.
    #[must_use]
    pub const fn is_ambiguous(self) -> bool {
        matches!(self, Self::Timeout | Self::Indeterminate)
    }
}

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Connecting to the store.
    Connect,
    /// Taking a lock.
    Acquire,
    /// Prolonging a lease.
    Extend,
    /// Giving a lock back.
    Release,
    /// Running a task under a lock.
    Run,
    /// Creating what the store needs.
    EnsureSchema,
    /// Checking what the store has.
    CheckSchema,
    /// Listing the store's locks.
    List,
    /// Looking at a lock.
    Get,
    /// Freeing a lock by hand.
    ForceRelease,
    /// Pausing a lock.
    Pause,
    /// Ending a pause.
    Resume,
    /// Forgetting locks that nobody uses.
    Prune,
}

impl Operation {
    /// Whether its words want a lock behind them.
    pub(super) const fn is_of_one_lock(self) -> bool {
        !matches!(
            self,
            Self::Connect | Self::EnsureSchema | Self::CheckSchema | Self::List | Self::Prune
        )
    }

    /// The words in messages; for what is asked about one held lock, also the label in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Acquire => "acquire",
            Self::Extend => "extend",
            Self::Release => "release",
            Self::Run => "run under",
            Self::EnsureSchema => "ensure the schema",
            Self::CheckSchema => "check the schema",
            Self::List => "list the locks",
            Self::Get => "look at",
            Self::ForceRelease => "force the release of",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Prune => "prune the locks",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
