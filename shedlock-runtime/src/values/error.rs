//! The error of everything here: what failed, on which lock, in which store, and what to do.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::values::duration::InvalidDuration;
use crate::values::name::{InvalidName, LockName};
use crate::values::printable::Printable;

mod kind;

pub use kind::{ErrorKind, Operation};

/// So much of a refused name is shown.
const SHOWN_CHARS: usize = 64;

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
#[derive(Clone)]
pub struct LockError(Arc<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: ErrorKind,
    operation: Option<Operation>,
    lock: Option<LockName>,
    provider: Option<&'static str>,
    problem: String,
    remedy: Option<String>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    /// Which of the stores of one kind, where a call of the attribute knows: `ProviderInfo::id`.
    provider_id: Option<u64>,
}

impl LockError {
    /// An error of `kind`; `problem` is a lower-case fragment without a full stop.
    #[must_use]
    pub fn new(kind: ErrorKind, problem: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            operation: None,
            lock: None,
            provider: None,
            problem: problem.into(),
            remedy: None,
            source: None,
            provider_id: None,
        }))
    }

    /// That `name` cannot name a lock. It is shown as [`printable`](crate::printable) shows it.
    pub(crate) fn of_name(invalid: &InvalidName, name: &str) -> Self {
        let mut problem = invalid.to_string();
        if !name.is_empty() {
            let (shown, more) = match name.char_indices().nth(SHOWN_CHARS) {
                Some((end, _)) => (&name[..end], ".."),
                None => (name, ""),
            };
            problem = format!("{problem}: `{}{more}`", Printable(shown));
        }
        Self::new(ErrorKind::InvalidName, problem)
    }

    /// Adds what was being done, on which lock and where, unless the error knows already.
    #[must_use]
    pub fn with_context(
        mut self,
        operation: Operation,
        provider: &'static str,
        lock: Option<&LockName>,
    ) -> Self {
        self.inner().operation.get_or_insert(operation);
        self.inner().provider.get_or_insert(provider);
        if self.0.lock.is_none() {
            self.inner().lock = lock.cloned();
        }
        self
    }

    /// Adds what was being done, where there is no store to speak of.
    pub(crate) fn during(mut self, operation: Operation) -> Self {
        self.inner().operation.get_or_insert(operation);
        self
    }

    /// Adds in which store it was.
    pub(crate) fn with_provider_id(mut self, provider_id: u64) -> Self {
        self.inner().provider_id.get_or_insert(provider_id);
        self
    }

    /// Adds which lock it is about, unless the error knows already.
    pub(crate) fn about(mut self, lock: Option<LockName>) -> Self {
        let inner = self.inner();
        inner.lock = inner.lock.take().or(lock);
        self
    }

    /// The same error about a lock that the caller knows by another name, for a wrapper that gives its locks names of
    /// their own.
    #[must_use]
    pub fn renamed(mut self, lock: &LockName) -> Self {
        if let Some(name) = &mut self.inner().lock {
            name.clone_from(lock);
        }
        self
    }

    /// Adds what the reader should do.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.inner().remedy = Some(remedy.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner().source = Some(source.into().into());
        self
    }

    /// The part to change: this error's own, also if it has been cloned.
    fn inner(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
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

    pub(crate) fn provider_id(&self) -> Option<u64> {
        self.0.provider_id
    }

    /// What failed, without where.
    pub(crate) fn problem(&self) -> &str {
        &self.0.problem
    }

    pub(crate) fn source_error(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = self.operation {
            write!(f, "failed to {operation}")?;
            match &self.lock {
                Some(lock) => write!(f, " lock `{lock}`")?,
                None if operation.is_of_one_lock() => f.write_str(" a lock")?,
                None => {}
            }
            if let Some(provider) = self.provider {
                let preposition = match operation {
                    Operation::Connect => "to",
                    _ => "in",
                };
                write!(f, " {preposition} {provider}")?;
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

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl StdError for LockError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source_error()
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
