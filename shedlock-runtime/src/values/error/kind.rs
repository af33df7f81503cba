//! The kinds of failures, and the operations that fail.

use std::fmt;

/// The kind of a failure. The kind decides what the runtime does next, and what a program can do.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{ErrorKind, LockError};
///
/// fn is_worth_a_page(error: &LockError) -> bool {
///     match error.kind() {
///         // Somebody has to change something.
///         ErrorKind::Schema | ErrorKind::Permission => true,
///         kind => !kind.is_transient(),
///     }
/// }
/// assert!(!is_worth_a_page(&LockError::new(ErrorKind::Unavailable, "the connection was refused")));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text cannot name a lock, or cannot name a lock in this store.
    InvalidName,
    /// The duration cannot be understood, or is zero, negative, too short or too long.
    InvalidDuration,
    /// The call lacks something that only the program can supply, such as `at_most`.
    Configuration,
    /// No provider is registered, or no provider with the wanted name.
    NoProvider,
    /// The store lacks a table, bucket or index, or has one that is not as expected.
    Schema,
    /// The user of the connection to the store lacks a privilege.
    Permission,
    /// The store takes no writes at present, because it is a replica or in read-only mode.
    ReadOnly,
    /// The store could not be reached, or was busy, full or shutting down until the end of the call. It has not carried out the request.
    Unavailable,
    /// The store did not answer in time. It may have carried out the request.
    Timeout,
    /// The connection broke after the request was sent and before the answer came. The store may have carried out the request.
    Indeterminate,
    /// The lease has ended, or another holder has the lock.
    Lost,
    /// The process is shutting down, so the task was cancelled.
    ShutDown,
    /// The store cannot carry out this operation at all.
    Unsupported,
    /// Any other error of the store or of the operating system.
    Other,
}

impl ErrorKind {
    /// Whether the same call may succeed later although nobody changes anything: true for `ReadOnly`, `Unavailable`, `Timeout` and
    /// `Indeterminate`.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::ReadOnly | Self::Unavailable | Self::Timeout | Self::Indeterminate
        )
    }

    /// The word for this kind in log fields and metrics.
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

    /// Whether the store may have carried out the request although it failed: true for `Timeout` and `Indeterminate`.
    #[must_use]
    pub const fn is_ambiguous(self) -> bool {
        matches!(self, Self::Timeout | Self::Indeterminate)
    }
}

/// The operation that an error is about.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{ErrorKind, LockError, LockName, Operation};
///
/// let name = LockName::new("mail")?;
/// let error = LockError::new(ErrorKind::Unavailable, "the connection was refused");
/// let error = error.with_context(Operation::Acquire, "redis", Some(&name));
/// assert_eq!(error.to_string(), "failed to acquire lock `mail` in redis: the connection was refused");
/// # Ok::<(), LockError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Connecting to the store.
    Connect,
    /// Taking a lock.
    Acquire,
    /// Extending a lease.
    Extend,
    /// Releasing a lock.
    Release,
    /// Running a task under a lock.
    Run,
    /// Creating the table or bucket that the provider needs.
    EnsureSchema,
    /// Checking whether the table or bucket is as the provider needs it.
    CheckSchema,
    /// Listing the store's locks.
    List,
    /// Reading the state of one lock.
    Get,
    /// Releasing a lock against its holder, for an operator.
    ForceRelease,
    /// Pausing a lock, for an operator.
    Pause,
    /// Ending a pause, for an operator.
    Resume,
    /// Deleting the records of locks that are not in use.
    Prune,
    /// Writing or reading the history of a lock's runs.
    History,
}

impl Operation {
    /// Whether the operation is about one lock, so that messages name it.
    pub(super) const fn is_of_one_lock(self) -> bool {
        !matches!(
            self,
            Self::Connect | Self::EnsureSchema | Self::CheckSchema | Self::List | Self::Prune
        )
    }

    /// The words for this operation in messages. For `Acquire`, `Extend` and `Release` they are also the label in metrics.
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
            Self::History => "keep the history of",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
