//! The time by which the lease in a record is judged, and the end of the lease that is written into the record.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::values::clock::{BootInstant, Clock};
use crate::values::error::{ErrorKind, LockError};

/// A time of day that lies between two bounds, by the clock of the store or of this node.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordTime {
    early: SystemTime,
    late: SystemTime,
    /// The reading of the clock; for the clock of a store, the latest possible reading.
    as_it_is: SystemTime,
    /// For a time of this node, the reading of the forward clock at the same moment. `None` for a time of the store: its clock may be set,
    /// so a later time cannot be computed.
    client: Option<BootInstant>,
}

impl RecordTime {
    /// The time of a store, from the store's answer: not earlier than `early` when the store answered, and not later than `late` now.
    pub(super) fn of_store(early: SystemTime, late: SystemTime) -> Self {
        Self {
            early,
            late,
            as_it_is: late,
            client: None,
        }
    }

    /// This node's time of day `utc` when its forward clock read `boot`.
    pub(super) fn of_client(utc: SystemTime, boot: BootInstant) -> Self {
        Self {
            early: utc,
            late: utc,
            as_it_is: utc,
            client: Some(boot),
        }
    }

    /// This node's current time of day; `None` for the time of a store. If this node's time of day was set meanwhile, the bounds include
    /// both the clock's reading and the time computed by the forward clock, so that nothing ends too early by either.
    pub(super) fn by_now(self, clock: &dyn Clock) -> Option<Self> {
        let (boot, utc) = (clock.boot(), clock.utc());
        let reckoned = self.early + boot.saturating_since(self.client?);
        Some(Self {
            early: utc.min(reckoned),
            late: utc.max(reckoned),
            as_it_is: utc,
            client: Some(boot),
        })
    }

    /// The earliest possible time. A lease that has not ended by this time counts as live.
    pub(super) fn early(self) -> SystemTime {
        self.early
    }

    /// The latest possible time. A lease that begins now is counted from this time.
    pub(super) fn late(self) -> SystemTime {
        self.late
    }
}

/// `instant` rounded down to a multiple of `grain`, the finest step of the store's times. A lease that ends now then counts as ended when
/// the record is read again.
pub(super) fn rounded_down(instant: SystemTime, grain: Duration) -> SystemTime {
    let since_1970 = instant.duration_since(UNIX_EPOCH).unwrap_or_default();
    let excess = since_1970.as_nanos() % grain.as_nanos().max(1);
    // The excess is less than a grain, so it fits into 64 bits of nanoseconds.
    instant - Duration::from_nanos(u64::try_from(excess).unwrap_or_default())
}

/// `instant` rounded up to a multiple of `grain`; `None` if the result is out of range.
pub(super) fn rounded_up(instant: SystemTime, grain: Duration) -> Option<SystemTime> {
    match rounded_down(instant, grain) {
        down if down == instant => Some(down),
        down => down.checked_add(grain),
    }
}

/// The end of a lease of `at_most` from now.
pub(super) fn lease_end(
    time: RecordTime,
    at_most: Duration,
    grain: Duration,
) -> Result<SystemTime, LockError> {
    end(time.late(), at_most, grain)
}

/// The end of a lock that was released and stays taken for `keep_for`. If `keep_for` is zero, the lock is free by every possible reading of
/// the clock.
pub(super) fn released_end(
    time: RecordTime,
    keep_for: Duration,
    grain: Duration,
) -> Result<SystemTime, LockError> {
    if keep_for.is_zero() {
        return Ok(rounded_down(time.early(), grain));
    }
    end(time.as_it_is, keep_for, grain)
}

fn end(now: SystemTime, duration: Duration, grain: Duration) -> Result<SystemTime, LockError> {
    let end = now.checked_add(duration);
    end.and_then(|end| rounded_up(end, grain)).ok_or_else(|| {
        LockError::new(
            ErrorKind::InvalidDuration,
            "the lease would end beyond what the clock can say",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_never_cut_and_what_ends_now_has_ended() {
        let second = Duration::from_secs(1);
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let ends = |from, millis| {
            let time = RecordTime::of_store(at(from), at(from));
            lease_end(time, Duration::from_millis(millis), second).unwrap()
        };
        assert_eq!(ends(1_500, 400), at(2_000));
        assert_eq!(ends(1_500, 500), at(2_000));
        assert_eq!(ends(1_500, 501), at(3_000));
        let now = RecordTime::of_store(at(1_500), at(1_500));
        assert_eq!(
            released_end(now, Duration::ZERO, second).unwrap(),
            at(1_000)
        );
    }

    #[test]
    fn between_two_readings_leases_take_the_later_and_releases_the_earlier() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let time = RecordTime::of_store(at(100), at(102));
        let grain = Duration::from_secs(1);
        assert_eq!(
            lease_end(time, Duration::from_secs(10), grain).unwrap(),
            at(112)
        );
        assert_eq!(released_end(time, Duration::ZERO, grain).unwrap(), at(100));
    }
}
