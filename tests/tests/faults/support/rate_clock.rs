//! A clock that runs too fast or too slow.

use std::time::{Duration, SystemTime};

use shedlock_runtime::{BootInstant, Clock, SystemClock};

/// Runs at `rate` times the true speed since its making.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateClock {
    rate: f64,
    origin: BootInstant,
}

impl RateClock {
    pub(crate) fn new(rate: f64) -> Self {
        let origin = SystemClock.boot();
        Self { rate, origin }
    }

    fn elapsed(&self) -> Duration {
        SystemClock
            .boot()
            .saturating_since(self.origin)
            .mul_f64(self.rate)
    }
}

impl Clock for RateClock {
    fn utc(&self) -> SystemTime {
        SystemClock.utc()
    }

    fn boot(&self) -> BootInstant {
        self.origin.saturating_add(self.elapsed())
    }
}
