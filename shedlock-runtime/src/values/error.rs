//! The error of all operations: what failed, on which lock, in which store, and what to do about it.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::values::duration::InvalidDuration;
use crate::values::name::{InvalidName, LockName};
use crate::values::printable::Printable;

mod kind;

pub use kind::{ErrorKind, Operation};

/// How many characters of a refused name a message shows.
const SHOWN_CHARS: usize = 64;

/// The error of all operations on locks.
///
/// "Somebody else holds the lock" is not an error but a [`SkipReason`](crate::SkipReason).
///
/// `Display` is one line: what failed, on which lock, in which store, and what to do. The line does not contain the cause, which is in
/// [`source`](StdError::source). No message contains a password, a connection string or the random part of an owner. A clone is cheap.
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
    /// The `ProviderInfo::id` of the store, if the error comes from a call of the attribute: it tells two stores of one kind apart.
    provider_id: Option<u64>,
}

impl LockError {
    /// An error of `kind`. `problem` tells what failed, as a lower-case fragment without a full stop.
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

    /// The error for a `name` that cannot name a lock. The message shows the name as [`printable`](crate::printable) escapes it.
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

    /// Adds the operation, the provider and the lock. A part that the error has already is left as it is.
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

    /// Adds the operation, for an error that no store is involved in.
    pub(crate) fn during(mut self, operation: Operation) -> Self {
        self.inner().operation.get_or_insert(operation);
        self
    }

    /// Adds the store's id.
    pub(crate) fn with_provider_id(mut self, provider_id: u64) -> Self {
        self.inner().provider_id.get_or_insert(provider_id);
        self
    }

    /// Adds the lock's name, unless the error has one.
    pub(crate) fn about(mut self, lock: Option<LockName>) -> Self {
        let inner = self.inner();
        inner.lock = inner.lock.take().or(lock);
        self
    }

    /// The error of a request that failed with `cause` after an earlier copy of the same request may have been carried out: its kind is
    /// [`Indeterminate`](ErrorKind::Indeterminate). What the reader should do about the cause is also what to do about this error.
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_runtime::{ErrorKind, LockError};
    ///
    /// let refused = LockError::new(ErrorKind::Permission, "writing is not allowed").with_remedy("grant WRITE to the user");
    /// let doubt = LockError::in_doubt("the store gave no answer at first, and then an error", refused);
    /// assert_eq!(doubt.kind(), ErrorKind::Indeterminate);
    /// assert_eq!(doubt.remedy(), Some("grant WRITE to the user"));
    /// ```
    #[must_use]
    pub fn in_doubt(problem: impl Into<String>, cause: Self) -> Self {
        let mut doubt = Self::new(ErrorKind::Indeterminate, problem);
        doubt.inner().remedy = cause.remedy().map(str::to_owned);
        doubt.with_source(cause)
    }

    /// The same error with another name of the lock, for a wrapper whose callers know the lock by that name. An error without a lock's name is
    /// unchanged.
    #[must_use]
    pub fn renamed(mut self, lock: &LockName) -> Self {
        if let Some(name) = &mut self.inner().lock {
            name.clone_from(lock);
        }
        self
    }

    /// Sets what the reader should do about the error, such as the exact statement to run.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.inner().remedy = Some(remedy.into());
        self
    }

    /// Sets the cause, which [`source`](StdError::source) returns.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner().source = Some(source.into().into());
        self
    }

    /// The inner part to change, which is copied first if a clone of the error shares it.
    fn inner(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }

    /// The kind of the failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed later although nobody changes anything; see [`ErrorKind::is_transient`].
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.0.kind.is_transient()
    }

    /// The operation that failed, if known.
    #[must_use]
    pub fn operation(&self) -> Option<Operation> {
        self.0.operation
    }

    /// The name of the lock, if the error is about one lock.
    #[must_use]
    pub fn lock(&self) -> Option<&str> {
        self.0.lock.as_ref().map(LockName::as_str)
    }

    /// The provider's name, such as `postgres`, if a provider is involved.
    #[must_use]
    pub fn provider(&self) -> Option<&'static str> {
        self.0.provider
    }

    /// What the reader should do about the error, if known: for example the definition of a missing table, or the privilege to grant.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }

    pub(crate) fn provider_id(&self) -> Option<u64> {
        self.0.provider_id
    }

    /// The problem, without operation, lock and provider.
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
