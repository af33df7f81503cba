//! A clock that counts how often it is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use shedlock_runtime::{BootInstant, Clock, TokioClock};

/// The clock of locks in memory, with a count.
#[derive(Debug, Clone, Default)]
pub struct CountingClock {
    reads: Arc<AtomicU64>,
}

impl CountingClock {
    /// How often the clock has been read since it was made.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}

impl Clock for CountingClock {
    fn utc(&self) -> SystemTime {
        self.reads.fetch_add(1, Ordering::Relaxed);
        TokioClock.utc()
    }

    fn boot(&self) -> BootInstant {
        self.reads.fetch_add(1, Ordering::Relaxed);
        TokioClock.boot()
    }
}
