//! The position of a lock: the slot, instant or step whose run began last, whether that run succeeded, and how many runs began for it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::values::error::{ErrorKind, LockError};
use crate::values::outcome::SkipReason;

/// A longer period is most likely a mistake.
const LONGEST_PERIOD: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The position in a lock's record: the latest slot or instant, or the highest step, for which a run has begun.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::Position;
///
/// let third_step = Position { number: 3, is_done: true, tries: 1 };
/// assert!(third_step.is_done);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The slot or instant, in milliseconds since 1970 (UTC), or the number of the step.
    pub number: u64,
    /// Whether a run for this slot, instant or step has succeeded.
    pub is_done: bool,
    /// How many runs have begun for this slot, instant or step.
    pub tries: u32,
}

/// Which position a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The multiple of this period since 1970 (UTC) that is nearest to the current time.
    Slot(Duration),
    /// The instant for which the run is scheduled.
    Instant(SystemTime),
    /// The step of a chain, counted from one.
    Step(u64),
}

/// The rule that decides whether a request may run for its slot, instant or step, given the position in the lock's record. See
/// [`LockConfiguration::with_once_per`](crate::LockConfiguration::with_once_per).
///
/// # Examples
///
/// ```
/// use std::time::SystemTime;
///
/// use shedlock_runtime::{AcquireRequest, LockConfiguration, ProviderInfo, SkipReason};
///
/// let info = ProviderInfo::new("toy");
/// let config = LockConfiguration::new("import", "10m")?.with_step(1)?;
/// let request = AcquireRequest::new(config, info.clock().boot());
///
/// // Part of an `acquire`: the lock is free, and its record has no position yet.
/// let rule = request.position_rule().expect("a step was asked for");
/// let now = SystemTime::now();
/// let begun = rule.next(None, now).expect("the first step may begin");
/// assert_eq!((begun.number, begun.is_done, begun.tries), (1, false, 1));
///
/// // The step has ended well: it never runs again.
/// let done = shedlock_runtime::Position { is_done: true, ..begun };
/// assert_eq!(rule.next(Some(done), now), Err(SkipReason::AlreadyRan));
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionRule {
    wanted: Wanted,
    attempts: Option<u32>,
}

impl PositionRule {
    /// The rule for a slot, instant or step; `None` if `wanted` is `None`.
    ///
    /// # Errors
    ///
    /// The period, the instant, the step or the number of attempts is out of range, or there are `attempts` without anything `wanted`.
    pub(crate) fn new(
        wanted: Option<Wanted>,
        attempts: Option<u32>,
    ) -> Result<Option<Self>, LockError> {
        let Some(wanted) = wanted else {
            return match attempts {
                None => Ok(None),
                Some(_) => Err(refused(
                    "`attempts` counts the runs for an instant or a step, and there is none",
                    "give `once_per`, `instant` or `step`, too",
                )),
            };
        };
        check(wanted)?;
        if attempts == Some(0) {
            return Err(refused(
                "`attempts` is zero, so nothing would ever run",
                "give one or more, or leave it out",
            ));
        }
        Ok(Some(Self { wanted, attempts }))
    }

    /// The [`number`](Position::number) of the position that this request asks for. `now` is the current time by the store's clock, or by
    /// this node's UTC clock if the store has no clock.
    #[must_use]
    pub fn number(&self, now: SystemTime) -> u64 {
        match self.wanted {
            Wanted::Slot(period) => {
                let period = millis(period).max(1);
                let slots = (since_1970(now) + period / 2) / period;
                slots.saturating_mul(period)
            }
            Wanted::Instant(instant) => since_1970(instant),
            Wanted::Step(step) => step,
        }
    }

    /// The position to write into the record when the run begins. The lock must be free. `stored` is the position in the record, and `now`
    /// is the current time by the store's clock, or by this node's UTC clock if the store has no clock.
    ///
    /// # Errors
    ///
    /// The reason why the run may not begin: [`SkipReason::AlreadyRan`], [`SkipReason::Gap`] or [`SkipReason::Exhausted`].
    pub fn next(&self, stored: Option<Position>, now: SystemTime) -> Result<Position, SkipReason> {
        let number = self.number(now);
        let begin = Position {
            number,
            is_done: false,
            tries: 1,
        };
        let is_step = matches!(self.wanted, Wanted::Step(_));
        let first = Position {
            number: 0,
            is_done: true,
            tries: 0,
        };
        let last = stored.unwrap_or(first);
        match number.cmp(&last.number) {
            std::cmp::Ordering::Less => Err(SkipReason::AlreadyRan),
            std::cmp::Ordering::Equal if last.is_done => Err(SkipReason::AlreadyRan),
            std::cmp::Ordering::Equal => self.again(last, is_step),
            std::cmp::Ordering::Greater if !is_step => Ok(begin),
            std::cmp::Ordering::Greater if last.is_done && number == last.number + 1 => Ok(begin),
            std::cmp::Ordering::Greater => Err(SkipReason::Gap),
        }
    }

    /// The position of one more run after a run that has not succeeded. Without `attempts`, there is one run for a slot or an instant, and
    /// any number of runs for a step.
    fn again(&self, last: Position, is_step: bool) -> Result<Position, SkipReason> {
        match self.attempts {
            None if !is_step => Err(SkipReason::AlreadyRan),
            Some(attempts) if last.tries >= attempts => Err(SkipReason::Exhausted),
            _ => Ok(Position {
                tries: last.tries.saturating_add(1),
                ..last
            }),
        }
    }
}

fn check(wanted: Wanted) -> Result<(), LockError> {
    match wanted {
        Wanted::Slot(period) if period.is_zero() => Err(refused(
            "the period of `once_per` is zero",
            "give the time from one run to the next",
        )),
        Wanted::Slot(period) if period < Duration::from_millis(1) => Err(refused(
            "the period of `once_per` is under a millisecond, which is as fine as stores count",
            "give the time from one run to the next",
        )),
        Wanted::Slot(period) if period > LONGEST_PERIOD => Err(refused(
            "the period of `once_per` is longer than a year",
            "give a shorter one",
        )),
        Wanted::Instant(instant) if since_1970(instant) == 0 => Err(refused(
            "the `instant` lies before 1970",
            "give the time at which the run is due",
        )),
        Wanted::Step(0) => Err(refused(
            "the `step` is zero; a chain begins with step 1",
            "count the steps from one",
        )),
        _ => Ok(()),
    }
}

fn refused(problem: &str, remedy: &str) -> LockError {
    LockError::new(ErrorKind::Configuration, problem).with_remedy(remedy)
}

fn since_1970(instant: SystemTime) -> u64 {
    millis(instant.duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn rule(wanted: Wanted, attempts: Option<u32>) -> PositionRule {
        PositionRule::new(Some(wanted), attempts).unwrap().unwrap()
    }

    fn done(number: u64) -> Position {
        Position {
            number,
            is_done: true,
            tries: 1,
        }
    }

    fn begun(number: u64, tries: u32) -> Position {
        Position {
            number,
            is_done: false,
            tries,
        }
    }

    #[test]
    fn clocks_apart_by_less_than_half_a_slot_mean_the_same_slot() {
        let hourly = rule(Wanted::Slot(HOUR), None);
        let noon = UNIX_EPOCH + 12 * HOUR;
        let number = hourly.number(noon);
        let nearly_half = Duration::from_millis(30 * 60 * 1000 - 1);
        assert_eq!(hourly.number(noon - HOUR / 2), number);
        assert_eq!(hourly.number(noon + nearly_half), number);
        assert_ne!(hourly.number(noon + HOUR / 2), number);
        assert_eq!(
            hourly.next(Some(done(number)), noon + nearly_half),
            Err(SkipReason::AlreadyRan)
        );
        assert!(hourly.next(Some(done(number)), noon + HOUR).is_ok());
    }

    #[test]
    fn an_instant_is_run_once_unless_attempts_are_left() {
        let now = UNIX_EPOCH + HOUR;
        let at = |hours| Wanted::Instant(UNIX_EPOCH + hours * HOUR);
        let number = rule(at(5), None).number(now);
        assert!(rule(at(5), None).next(None, now).is_ok());
        assert_eq!(
            rule(at(4), None).next(Some(begun(number, 1)), now),
            Err(SkipReason::AlreadyRan)
        );
        assert_eq!(
            rule(at(5), None).next(Some(begun(number, 1)), now),
            Err(SkipReason::AlreadyRan)
        );
        let twice = rule(at(5), Some(2));
        assert_eq!(
            twice.next(Some(begun(number, 1)), now),
            Ok(begun(number, 2))
        );
        assert_eq!(
            twice.next(Some(begun(number, 2)), now),
            Err(SkipReason::Exhausted)
        );
        assert_eq!(
            twice.next(Some(done(number)), now),
            Err(SkipReason::AlreadyRan)
        );
        assert!(rule(at(6), None).next(Some(begun(number, 2)), now).is_ok());
    }

    #[test]
    fn steps_run_one_after_the_other() {
        let now = UNIX_EPOCH;
        let step = |number| rule(Wanted::Step(number), None);
        assert!(step(1).next(None, now).is_ok());
        assert_eq!(step(2).next(None, now), Err(SkipReason::Gap));
        assert_eq!(step(2).next(Some(begun(1, 1)), now), Err(SkipReason::Gap));
        assert_eq!(step(1).next(Some(begun(1, 7)), now), Ok(begun(1, 8)));
        assert!(step(2).next(Some(done(1)), now).is_ok());
        assert_eq!(
            step(1).next(Some(done(1)), now),
            Err(SkipReason::AlreadyRan)
        );
        assert_eq!(step(3).next(Some(done(1)), now), Err(SkipReason::Gap));
        assert_eq!(
            rule(Wanted::Step(1), Some(3)).next(Some(begun(1, 3)), now),
            Err(SkipReason::Exhausted)
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let problem =
            |wanted, attempts| PositionRule::new(wanted, attempts).unwrap_err().to_string();
        for (wanted, words) in [
            (Wanted::Slot(Duration::ZERO), "is zero"),
            (Wanted::Slot(Duration::from_nanos(1)), "under a millisecond"),
            (Wanted::Slot(366 * 24 * HOUR), "longer than a year"),
            (Wanted::Instant(UNIX_EPOCH), "before 1970"),
            (Wanted::Step(0), "begins with step 1"),
        ] {
            let said = problem(Some(wanted), None);
            assert!(said.contains(words), "{said}");
        }
        assert!(problem(Some(Wanted::Step(1)), Some(0)).contains("`attempts` is zero"));
        assert!(problem(None, Some(3)).contains("and there is none"));
    }
}
