//! The client's time, by which leases are judged and dated: DynamoDB has no clock that a condition can read.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_runtime::{BootInstant, Clock, ErrorKind, LockError};

/// The time for which a write keeps a lock taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term {
    /// The end, by the client's time.
    pub(crate) until: SystemTime,
    /// The length from the write on; zero if the write frees the lock.
    pub(crate) length: Duration,
}

/// The time of day of this node between two bounds. They differ if the time of day was set while a lock was held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientTime {
    early: SystemTime,
    late: SystemTime,
    utc: SystemTime,
    boot: BootInstant,
}

impl ClientTime {
    pub(crate) fn now(clock: &dyn Clock) -> Self {
        let (boot, utc) = (clock.boot(), clock.utc());
        Self {
            early: utc,
            late: utc,
            utc,
            boot,
        }
    }

    /// The time now, for a lease that was granted at this time. The bounds include what the clock reads, and what it would read if it had
    /// not been set meanwhile: nothing ends too early by either.
    pub(crate) fn by_now(self, clock: &dyn Clock) -> Self {
        let now = Self::now(clock);
        let reckoned = self.early + now.boot.saturating_since(self.boot);
        Self {
            early: now.utc.min(reckoned),
            late: now.utc.max(reckoned),
            ..now
        }
    }

    /// What has ended by this time has ended by every reading, in whole grains.
    pub(crate) fn early(self, grain: Duration) -> SystemTime {
        let since_1970 = self.early.duration_since(UNIX_EPOCH).unwrap_or_default();
        let grain = grain.as_millis().max(1);
        let whole = since_1970.as_millis() / grain * grain;
        UNIX_EPOCH + Duration::from_millis(u64::try_from(whole).unwrap_or_default())
    }

    /// When a lease of `at_most` ends that begins now.
    pub(crate) fn lease_end(self, at_most: Duration) -> Result<Term, LockError> {
        let until = self.late.checked_add(at_most).ok_or_else(beyond)?;
        Ok(Term {
            until,
            length: at_most,
        })
    }

    /// When a lock becomes free that is released now and stays taken for `keep_for`.
    pub(crate) fn released_end(
        self,
        keep_for: Duration,
        grain: Duration,
    ) -> Result<Term, LockError> {
        let until = if keep_for.is_zero() {
            self.early(grain)
        } else {
            self.utc.checked_add(keep_for).ok_or_else(beyond)?
        };
        Ok(Term {
            until,
            length: keep_for,
        })
    }

    /// The microseconds since 1970.
    pub(crate) fn micros(self) -> u64 {
        let since_1970 = self.late.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_1970.as_micros()).unwrap_or(u64::MAX)
    }
}

fn beyond() -> LockError {
    LockError::new(
        ErrorKind::InvalidDuration,
        "the lease would end beyond what the clock can say",
    )
}

#[cfg(test)]
mod tests {
    use shedlock_runtime::testing::ManualClock;

    use super::*;

    #[test]
    fn a_time_of_day_that_is_set_ends_nothing_early() {
        let grain = Duration::from_millis(1);
        let minute = Duration::from_mins(1);
        let clock = ManualClock::new();
        let granted = ClientTime::now(&clock);
        clock.advance(minute);
        let before = ClientTime::now(&clock);
        clock.step_utc(before.utc - 60 * minute);
        let set_back = granted.by_now(&clock);
        let end = |time: ClientTime| time.lease_end(minute).ok().map(|term| term.until);
        assert_eq!(end(set_back), Some(before.utc + minute));
        assert!(set_back.early(grain) < before.utc - 59 * minute);
        clock.step_utc(before.utc + 60 * minute);
        let set_forward = granted.by_now(&clock);
        assert_eq!(set_forward.early(grain), before.early(grain));
        assert_eq!(end(set_forward), Some(before.utc + 61 * minute));
    }
}
