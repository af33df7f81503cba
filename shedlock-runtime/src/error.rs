//! The error of everything here: what failed, on which lock, in which store, and what to do.

use std::error::Error as StdError;
use std::fmt;

use crate::duration::InvalidDuration;
use crate::name::{InvalidName, LockName};

/// A lock could not be asked for, kept or given back.
///
/// That somebody else holds the lock is not an error but a [`SkipReason`](crate::SkipReason).
///
/// `Display` is one line without the cause, which is in [`source`](StdError::source). No message contains a password,
/// a connection string or the random part of an owner.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{ErrorKind, LockConfiguration};
///
/// let error = LockConfiguration::new("nightly_report", "10 parsecs").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidDuration);
/// assert!(!error.is_transient());
/// ```
#[derive(thiserror::Error)]
#[error("{0}")]
pub struct LockError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    operation: Option<Operation>,
    lock: Option<LockName>,
    provider: Option<&'static str>,
    problem: String,
    remedy: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

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
    /// The store could not be reached; nothing was sent.
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

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
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
        })
    }
}

impl LockError {
    /// An error of `kind`; `problem` is a lower-case fragment without a full stop.
    #[must_use]
    pub fn new(kind: ErrorKind, problem: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            operation: None,
            lock: None,
            provider: None,
            problem: problem.into(),
            remedy: None,
            source: None,
        }))
    }

    /// Adds what was being done, on which lock and where, unless the error knows already.
    #[must_use]
    pub fn with_context(
        mut self,
        operation: Operation,
        provider: &'static str,
        lock: Option<&LockName>,
    ) -> Self {
        self.0.operation.get_or_insert(operation);
        self.0.provider.get_or_insert(provider);
        if self.0.lock.is_none() {
            self.0.lock = lock.cloned();
        }
        self
    }

    /// The same error about a lock that the caller knows by another name, for a wrapper that gives its locks names of
    /// their own.
    #[must_use]
    pub fn renamed(mut self, lock: &LockName) -> Self {
        if let Some(name) = &mut self.0.lock {
            name.clone_from(lock);
        }
        self
    }

    /// Adds what the reader should do.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What sort of failure it was.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed later, without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.0.kind.is_transient()
    }

    /// What was being done.
    #[must_use]
    pub fn operation(&self) -> Option<Operation> {
        self.0.operation
    }

    /// The lock's name.
    #[must_use]
    pub fn lock(&self) -> Option<&str> {
        self.0.lock.as_ref().map(LockName::as_str)
    }

    /// The provider's name, such as `postgres`.
    #[must_use]
    pub fn provider(&self) -> Option<&'static str> {
        self.0.provider
    }

    /// What the reader should do, where that is known: the missing table's definition, the privilege to grant.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }

    pub(crate) fn source_error(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = self.operation {
            write!(f, "failed to {operation}")?;
            if let Some(lock) = &self.lock {
                write!(f, " lock `{lock}`")?;
            }
            if let Some(provider) = self.provider {
                write!(f, " in {provider}")?;
            }
            f.write_str(": ")?;
        } else if let Some(lock) = &self.lock {
            write!(f, "lock `{lock}`: ")?;
        }
        f.write_str(&self.problem)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Programs that return it from `main` print this form: make it one that a person can read.
        write!(f, "{} ({:?})", self.0, self.0.kind)?;
        let mut source = self.source_error();
        while let Some(cause) = source {
            write!(f, "\n  caused by: {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl From<InvalidName> for LockError {
    fn from(invalid: InvalidName) -> Self {
        Self::new(ErrorKind::InvalidName, invalid.to_string())
    }
}

impl From<InvalidDuration> for LockError {
    fn from(invalid: InvalidDuration) -> Self {
        Self::new(ErrorKind::InvalidDuration, invalid.to_string())
    }
}
