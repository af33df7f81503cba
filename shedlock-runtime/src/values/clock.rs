//! Two clocks: the one that measures how long a holder may go on, and the one that dates records in stores without a clock.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use once_cell::sync::Lazy;

/// A reading of a clock that never steps and counts the time the machine was suspended.
///
/// It means something only against another reading of the same clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootInstant {
    // Signed, because tokio's paused time may stand before the first reading.
    nanos: i64,
}

impl BootInstant {
    /// The instant `since_origin` after the clock's origin, whatever that is.
    #[must_use]
    pub fn from_origin(since_origin: Duration) -> Self {
        Self {
            nanos: nanos(since_origin),
        }
    }

    /// This instant plus `duration`; far enough out it stops growing instead of wrapping.
    #[must_use]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self {
            nanos: self.nanos.saturating_add(nanos(duration)),
        }
    }

    /// This instant less `duration`; far enough back it stops falling instead of wrapping.
    #[must_use]
    pub const fn saturating_sub(self, duration: Duration) -> Self {
        Self {
            nanos: self.nanos.saturating_sub(nanos(duration)),
        }
    }

    /// How much later this instant is than `earlier`; zero if it is not.
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

/// Where the time comes from.
///
/// Providers whose store has a clock never ask [`utc`](Self::utc); all of them use [`boot`](Self::boot) for the
/// holder's own deadline.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time of day in UTC, which may step.
    fn utc(&self) -> SystemTime;

    /// A reading that never steps and goes on while the machine is suspended.
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

/// The machine's clocks.
///
/// The forward clock is `CLOCK_BOOTTIME` on Linux: `std::time::Instant` reads `CLOCK_MONOTONIC` there, which stands
/// still while a virtual machine is suspended, so a lease would seem to last through the suspension.
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
/// [`InMemoryLockProvider`](crate::InMemoryLockProvider) uses it, so locks in memory follow `start_paused` tests.
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
