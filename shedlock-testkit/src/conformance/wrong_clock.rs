//! The clock of a machine whose time of day is wrong.

use std::time::{Duration, SystemTime};

use shedlock_runtime::{BootInstant, Clock, SystemClock};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A clock whose time of day is wrong by an hour, for [`Harness::node_with_wrong_clock`](super::Harness::node_with_wrong_clock). Its forward
/// clock is that of the machine.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{Clock as _, SystemClock};
/// use shedlock_testkit::conformance::WrongClock;
///
/// let clock = WrongClock { ahead: true };
/// assert!(clock.utc() > SystemClock.utc());
/// ```
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "tests make it from its only field"
)]
pub struct WrongClock {
    /// Whether the time of day is an hour ahead of the right one, rather than behind it.
    pub ahead: bool,
}

impl Clock for WrongClock {
    fn utc(&self) -> SystemTime {
        let now = SystemClock.utc();
        if self.ahead { now + HOUR } else { now - HOUR }
    }

    fn boot(&self) -> BootInstant {
        SystemClock.boot()
    }
}
