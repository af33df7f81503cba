//! The time by which a record is judged, and the ends that are written into it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::values::clock::{BootInstant, Clock};
use crate::values::error::{ErrorKind, LockError};

/// A time of day that is known to lie between two bounds, and whose it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordTime {
    early: SystemTime,
    late: SystemTime,
    /// The clock as it is: of a store, the latest that it can be.
    as_it_is: SystemTime,
    /// For a time of this node: the forward clock's reading beside it. The clock of a store is not foretold: it may be set.
    client: Option<BootInstant>,
}

impl RecordTime {
    /// What a store told in an answer: it was no earlier than `early`, and by now is no later than `late`.
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

    /// This node's time of day by now; `None` for that of a store. If the time of day was set meanwhile, both readings count: nothing
    /// ends too early by either.
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

    /// The earliest that the time can be: what has not ended by then is taken for live.
    pub(super) fn early(self) -> SystemTime {
        self.early
    }

    /// The latest that the time can be: a lease that begins now is counted from then.
    pub(super) fn late(self) -> SystemTime {
        self.late
    }
}

/// `instant` without what is less than a `grain`: what ends now has ended when it is read again, in whatever steps the store keeps times.
pub(super) fn rounded_down(instant: SystemTime, grain: Duration) -> SystemTime {
    let since_1970 = instant.duration_since(UNIX_EPOCH).unwrap_or_default();
    let excess = since_1970.as_nanos() % grain.as_nanos().max(1);
    // Less than a grain, and a grain is no century.
    instant - Duration::from_nanos(u64::try_from(excess).unwrap_or_default())
}

/// `instant` in whole steps of `grain`, and not before its time.
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

/// The end of a lock that was released, and is kept for `keep_for` by the clock as it is. Kept for no time, it has ended by any reading.
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
