//! A clock that stands still until a test moves it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::values::clock::{BootInstant, Clock};

/// A clock moved by hand; clones move together.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use shedlock_runtime::{Clock, testing::ManualClock};
///
/// let clock = ManualClock::new();
/// let before = clock.boot();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.boot().saturating_since(before), Duration::from_secs(60));
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<(Duration, SystemTime)>>);

impl ManualClock {
    /// A clock that shows the present time of day until it is moved.
    #[must_use]
    pub fn new() -> Self {
        Self::at(SystemTime::now())
    }

    /// A clock that shows the time of day `utc` until it is moved.
    #[must_use]
    pub fn at(utc: SystemTime) -> Self {
        Self(Arc::new(Mutex::new((Duration::ZERO, utc))))
    }

    /// Moves the time of day and the forward clock forward by `by`.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        now.0 += by;
        now.1 += by;
    }

    /// Sets the time of day to `to`, as an operator or NTP does. The forward clock stays where it is.
    pub fn step_utc(&self, to: SystemTime) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = to;
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn utc(&self) -> SystemTime {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    fn boot(&self) -> BootInstant {
        BootInstant::from_origin(self.0.lock().unwrap_or_else(PoisonError::into_inner).0)
    }
}
