//! The position of a lock: the slot, instant or step whose run began last, whether that run succeeded, and how many runs began for it.

use std::fmt;
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
/// assert_eq!(third_step.to_string(), "3 (done)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The slot or instant, in milliseconds since 1970 (UTC), or the number of the step.
    pub number: u64,
    /// Whether a run for this slot, instant or step has succeeded.
    pub is_done: bool,
    /// How many runs have begun for this slot, instant or step. Zero if the only grant was given back before its run began.
    pub tries: u32,
}

/// For an operator: the number, whether its run succeeded, and how many runs began for it if there were several.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_done { "done" } else { "not done" };
        write!(f, "{} ({state}", self.number)?;
        if self.tries > 1 {
            write!(f, ", {} attempts", self.tries)?;
        }
        f.write_str(")")
    }
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
    /// The only run of a lock, which stands for a text: see `claim`.
    Claim,
}

/// The position that a request asks for, in the numbers that a record keeps: see [`PositionRule::wanted`].
///
/// # Examples
///
/// ```
/// use shedlock_runtime::WantedPosition;
///
/// // The arguments of a script: the length of a slot, a fixed number, and whether it is a step.
/// fn arguments(wanted: WantedPosition) -> (u64, u64, bool) {
///     match wanted {
///         WantedPosition::Slot { period } => (period, 0, false),
///         WantedPosition::Instant { number } => (0, number, false),
///         WantedPosition::Step { number } => (0, number, true),
///     }
/// }
/// assert_eq!(arguments(WantedPosition::Step { number: 3 }), (0, 3, true));
/// ```
// Not `non_exhaustive`: a provider that does not know a kind of position must not compile, rather than grant it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedPosition {
    /// The multiple of `period` since 1970 (UTC) that is nearest to the current time, and the later one of two that are equally near.
    Slot {
        /// The length of a slot in milliseconds, from one to those of a year.
        period: u64,
    },
    /// The instant for which the run is scheduled.
    Instant {
        /// The milliseconds since 1970 (UTC).
        number: u64,
    },
    /// A step of a chain.
    Step {
        /// The number of the step, counted from one.
        number: u64,
    },
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

    /// The position that this request asks for, for a store that decides in a script or statement of its own. The store then follows the
    /// table of [`next`](Self::next), with [`attempts`](Self::attempts).
    #[must_use]
    pub fn wanted(&self) -> WantedPosition {
        match self.wanted {
            Wanted::Slot(period) => WantedPosition::Slot {
                period: millis(period).max(1),
            },
            Wanted::Instant(instant) => WantedPosition::Instant {
                number: since_1970(instant),
            },
            Wanted::Step(number) => WantedPosition::Step { number },
            // The first and only instant of a lock that stands for the text.
            Wanted::Claim => WantedPosition::Instant { number: 1 },
        }
    }

    /// How many runs may begin for one slot, instant or step, at least one. `None` means one run of a slot or an instant, and any number of
    /// runs of a step.
    #[must_use]
    pub fn attempts(&self) -> Option<u32> {
        self.attempts
    }

    /// The [`number`](Position::number) of the position that this request asks for. `now` is the current time by the store's clock, or by
    /// this node's UTC clock if the store has no clock.
    #[must_use]
    pub fn number(&self, now: SystemTime) -> u64 {
        match self.wanted() {
            WantedPosition::Slot { period } => {
                let slots = (since_1970(now) + period / 2) / period;
                slots.saturating_mul(period)
            }
            WantedPosition::Instant { number } | WantedPosition::Step { number } => number,
        }
    }

    /// The position to write into the record when the run begins. The lock must be free. `stored` is the position in the record, and `now`
    /// is the current time by the store's clock, or by this node's UTC clock if the store has no clock.
    ///
    /// This function looks at nothing but its arguments. A store that decides in a script or statement of its own computes the same table,
    /// where a record without a position counts as number 0, done, with no tries:
    ///
    /// | wanted number is | stored run is | further condition | answer |
    /// |---|---|---|---|
    /// | less | any | | `AlreadyRan` |
    /// | equal | done | | `AlreadyRan` |
    /// | equal | not done, with tries | a slot or an instant, without `attempts` | `AlreadyRan` |
    /// | equal | not done | stored tries >= `attempts` | `Exhausted` |
    /// | equal | not done | otherwise | run again: same number, not done, one more try |
    /// | greater | any | a slot or an instant | run: the wanted number, not done, one try |
    /// | greater by one | done | a step | run: the wanted number, not done, one try |
    /// | greater | otherwise | a step | `Gap` |
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

    /// The position of one more run after a run that has not succeeded, or after a grant that was given back unused. Without `attempts`, there
    /// is one run for a slot or an instant, and any number of runs for a step.
    fn again(&self, last: Position, is_step: bool) -> Result<Position, SkipReason> {
        match self.attempts {
            None if !is_step && last.tries > 0 => Err(SkipReason::AlreadyRan),
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
mod tests;
