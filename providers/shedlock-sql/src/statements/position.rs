//! The kinds of positions, which differ in their statements.

use shedlock_runtime::{PositionRule, WantedPosition};

use super::Values;

/// The kind of position for which a statement takes a lock.
///
/// # Examples
///
/// ```
/// use shedlock_sql::{Dialect, LockClock, Names, Param, PositionKind, Sending, Session, Statements};
///
/// let names = Names::shedlock(Dialect::Postgres);
/// let statements = Statements::new(&names, LockClock::Database, Session::Own);
/// let acquire = statements.acquire_position(PositionKind::Step, Sending::First);
/// assert!(acquire.params().contains(&Param::Number));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PositionKind {
    /// A slot of a period. The statement computes its number from the time.
    Slot,
    /// An instant, whose number is bound.
    Instant,
    /// A step of a chain, whose number is bound.
    Step,
}

impl PositionKind {
    /// All variants, in the order of [`index`](Self::index).
    pub(super) const ALL: [Self; 3] = [Self::Slot, Self::Instant, Self::Step];

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Slot => 0,
            Self::Instant => 1,
            Self::Step => 2,
        }
    }

    /// The kind of position that `rule` asks for, and the number to bind; see [`Param::Number`](crate::Param::Number). Each number fits
    /// into 63 bits, or is so large that no record can reach it.
    #[must_use]
    pub fn wanted(rule: PositionRule) -> (Self, i64) {
        let (kind, number) = match rule.wanted() {
            WantedPosition::Slot { period } => (Self::Slot, period),
            WantedPosition::Instant { number } => (Self::Instant, number),
            WantedPosition::Step { number } => (Self::Step, number),
        };
        (kind, i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl Values<'_> {
    /// The same values with those of a request for a position.
    pub(crate) fn with_position(mut self, rule: PositionRule) -> Self {
        let (kind, number) = PositionKind::wanted(rule);
        self.number = number;
        self.attempts = match (rule.attempts(), kind) {
            (Some(attempts), _) => attempts.into(),
            (None, PositionKind::Step) => i64::MAX,
            (None, PositionKind::Slot | PositionKind::Instant) => 1,
        };
        self
    }
}
