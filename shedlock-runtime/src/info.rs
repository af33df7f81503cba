//! What a provider says of itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::{Clock, SystemClock};

/// What a provider is and can do: the same for all its clones.
#[derive(Debug, Clone)]
pub struct ProviderInfo {
    id: u64,
    name: &'static str,
    max_name_chars: usize,
    clock: Arc<dyn Clock>,
}

impl ProviderInfo {
    /// A provider called `name` in messages, with the system's clocks and no limit on names of its own.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            id,
            name,
            max_name_chars: usize::MAX,
            clock: Arc::new(SystemClock),
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

    /// Whether both are clones of one provider: a lock of one is the lock of the other.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.id == other.id
    }
}
