//! What a provider says of itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::values::clock::{Clock, SystemClock};
use crate::values::error::{LockError, Operation};
use crate::values::name::LockName;

/// What a provider is and can do: the same for all its clones.
#[derive(Debug, Clone)]
pub struct ProviderInfo {
    id: u64,
    name: &'static str,
    max_name_chars: usize,
    clock: Arc<dyn Clock>,
    namespace: Option<Arc<str>>,
}

impl ProviderInfo {
    /// A provider called `name` in messages, with the system's clocks and no limit on names of its own.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            id: next_id(),
            name,
            max_name_chars: usize::MAX,
            clock: Arc::new(SystemClock),
            namespace: None,
        }
    }

    /// Refuses names of more than `max` characters before any I/O.
    #[must_use]
    pub fn with_max_name_chars(mut self, max: usize) -> Self {
        self.max_name_chars = max;
        self
    }

    /// Measures the holder's deadline, and dates records where the store has no clock, by `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The provider's name in messages, such as `postgres`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How many characters a lock's name may have.
    #[must_use]
    pub fn max_name_chars(&self) -> usize {
        self.max_name_chars
    }

    /// The clock by which the holder measures its deadline.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// `name` as the name of a lock here, for `operation`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidName`](crate::ErrorKind::InvalidName) if it cannot name a lock, or is too long for this store; the
    /// error says what was being done, and where.
    pub fn lock_name(&self, operation: Operation, name: &str) -> Result<LockName, LockError> {
        let checked = LockName::new(name).and_then(|name| {
            name.check_chars(self.max_name_chars)?;
            Ok(name)
        });
        checked.map_err(|invalid| {
            LockError::of_name(&invalid, name).with_context(operation, self.name, None)
        })
    }

    /// Checks `prefix`, with which the names of some locks here begin, for `operation`.
    ///
    /// # Errors
    ///
    /// As [`lock_name`](Self::lock_name), but for the empty prefix, which every name has.
    pub fn check_prefix(&self, operation: Operation, prefix: &str) -> Result<(), LockError> {
        match prefix {
            "" => Ok(()),
            prefix => self.lock_name(operation, prefix).map(drop),
        }
    }

    /// The same description for a provider that stands in front of this one: another provider, by
    /// [`is_same`](Self::is_same), with the same clock.
    #[must_use]
    pub fn with_new_identity(&self) -> Self {
        Self {
            id: next_id(),
            ..self.clone()
        }
    }

    /// The folder in which the store keeps our names, if a wrapper gave them one.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The same description for locks in `namespace`, inside of the one that is there.
    pub(crate) fn in_namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(match &self.namespace {
            Some(outer) => format!("{outer}/{namespace}").into(),
            None => namespace.into(),
        });
        self
    }

    /// What [`is_same`](Self::is_same) compares.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Whether both are clones of one provider: a lock of one is the lock of the other.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
