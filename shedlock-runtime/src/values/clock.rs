//! Two clocks: the one that measures how long a holder may go on, and the one that dates records in stores without a clock.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use once_cell::sync::Lazy;

/// A reading of a forward clock: one that never steps, and that counts the time while the machine is suspended.
///
/// A reading means something only in comparison with another reading of the same clock.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use shedlock_runtime::BootInstant;
///
/// let asked = BootInstant::from_origin(Duration::from_secs(100));
/// let ends = asked.saturating_add(Duration::from_secs(60));
/// assert_eq!(ends.saturating_since(asked), Duration::from_secs(60));
/// assert_eq!(asked.saturating_since(ends), Duration::ZERO);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootInstant {
    // Signed, because tokio's paused time may stand before the first reading.
    nanos: i64,
}

impl BootInstant {
    /// The instant `since_origin` after the clock's origin, which a clock chooses, such as the boot of the machine.
    #[must_use]
    pub fn from_origin(since_origin: Duration) -> Self {
        Self {
            nanos: nanos(since_origin),
        }
    }

    /// This instant plus `duration`, or the latest instant there is if the sum would be later.
    #[must_use]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self {
            nanos: self.nanos.saturating_add(nanos(duration)),
        }
    }

    /// This instant less `duration`, or the earliest instant there is if the difference would be earlier.
    #[must_use]
    pub const fn saturating_sub(self, duration: Duration) -> Self {
        Self {
            nanos: self.nanos.saturating_sub(nanos(duration)),
        }
    }

    /// How much later this instant is than `earlier`; zero if this instant is not later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        let nanos = self.nanos.saturating_sub(earlier.nanos);
        if nanos <= 0 {
            Duration::ZERO
        } else {
            Duration::from_nanos(nanos.unsigned_abs())
        }
    }

    pub(crate) const fn from_nanos(nanos: i64) -> Self {
        Self { nanos }
    }

    pub(crate) const fn as_nanos(self) -> i64 {
        self.nanos
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "checked on the line above the cast"
)]
const fn nanos(duration: Duration) -> i64 {
    let nanos = duration.as_nanos();
    if nanos > i64::MAX as u128 {
        i64::MAX
    } else {
        nanos as i64
    }
}

/// The two clocks of a node: the time of day, and a forward clock.
///
/// The runtime measures every holder's deadline by [`boot`](Self::boot). A provider whose store has no clock dates records by
/// [`utc`](Self::utc).
///
/// # Examples
///
/// A node whose time of day is five minutes ahead, to test what a store without a clock makes of it:
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use shedlock_runtime::{BootInstant, Clock, ProviderInfo, SystemClock};
///
/// #[derive(Debug)]
/// struct Fast;
///
/// impl Clock for Fast {
///     fn utc(&self) -> SystemTime {
///         SystemClock.utc() + Duration::from_secs(300)
///     }
///
///     fn boot(&self) -> BootInstant {
///         SystemClock.boot()
///     }
/// }
///
/// let info = ProviderInfo::new("bucket").with_clock(Fast);
/// assert!(info.clock().utc() > SystemTime::now());
/// ```
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time of day in UTC. The time of day may step forward and back.
    fn utc(&self) -> SystemTime;

    /// A reading of the forward clock, which never steps and goes on while the machine is suspended.
    fn boot(&self) -> BootInstant;
}

impl<T: Clock + ?Sized> Clock for Arc<T> {
    fn utc(&self) -> SystemTime {
        (**self).utc()
    }

    fn boot(&self) -> BootInstant {
        (**self).boot()
    }
}

/// The clocks of the operating system.
///
/// On Linux the forward clock is `CLOCK_BOOTTIME`. `std::time::Instant` reads `CLOCK_MONOTONIC` there, which stands still while a virtual
/// machine is suspended: a lease would seem to last through the suspension.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{Clock as _, SystemClock};
///
/// let before = SystemClock.boot();
/// assert!(SystemClock.boot() >= before);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn utc(&self) -> SystemTime {
        SystemTime::now()
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn boot(&self) -> BootInstant {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        BootInstant::from_nanos(
            now.tv_sec
                .saturating_mul(1_000_000_000)
                .saturating_add(now.tv_nsec),
        )
    }

    // On macOS and Windows `Instant` counts suspended time.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn boot(&self) -> BootInstant {
        static ORIGIN: Lazy<std::time::Instant> = Lazy::new(std::time::Instant::now);
        BootInstant::from_origin(ORIGIN.elapsed())
    }
}

/// tokio's clock, which a test can pause and advance.
///
/// [`InMemoryLockProvider`](crate::InMemoryLockProvider) uses this clock, so locks in memory follow the paused time of a test.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use shedlock_runtime::{Clock as _, TokioClock};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let before = TokioClock.boot();
/// tokio::time::advance(Duration::from_secs(60)).await;
/// assert_eq!(TokioClock.boot().saturating_since(before), Duration::from_secs(60));
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioClock;

static ORIGIN: Lazy<(tokio::time::Instant, SystemTime)> =
    Lazy::new(|| (tokio::time::Instant::now(), SystemTime::now()));

impl Clock for TokioClock {
    fn utc(&self) -> SystemTime {
        let (origin, utc) = *ORIGIN;
        let now = tokio::time::Instant::now();
        match now.checked_duration_since(origin) {
            Some(later) => utc + later,
            None => utc - origin.saturating_duration_since(now),
        }
    }

    fn boot(&self) -> BootInstant {
        let origin = ORIGIN.0;
        let now = tokio::time::Instant::now();
        match now.checked_duration_since(origin) {
            Some(later) => BootInstant::from_origin(later),
            None => BootInstant::from_nanos(-nanos(origin.saturating_duration_since(now))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stops_at_the_ends() {
        let end = BootInstant::from_nanos(i64::MAX);
        assert_eq!(end.saturating_add(Duration::MAX), end);
        assert_eq!(
            BootInstant::from_nanos(3).saturating_since(end),
            Duration::ZERO
        );
        assert_eq!(
            BootInstant::from_nanos(3).saturating_since(BootInstant::from_nanos(-2)),
            Duration::from_nanos(5)
        );
    }

    #[test]
    fn the_boot_clock_runs_forward() {
        let first = SystemClock.boot();
        while SystemClock.boot() == first {}
        assert!(SystemClock.boot() > first);
    }

    #[tokio::test(start_paused = true)]
    async fn tokios_clock_follows_paused_time() {
        let (boot, utc) = (TokioClock.boot(), TokioClock.utc());
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(
            TokioClock.boot().saturating_since(boot),
            Duration::from_secs(3600)
        );
        assert_eq!(
            TokioClock.utc().duration_since(utc).unwrap(),
            Duration::from_secs(3600)
        );
    }
}
