//! The numbers in which the statements for MySQL and MariaDB encode their answers, and how these are read; see
//! `sql/mysql/ANSWERS.md`.

use std::time::Duration;

use super::{AcquireAnswer, PauseAnswer, UnusableRow};
use crate::driver::{Driver, Row};
use crate::locks::Context;
use crate::statements::{Statement, TokenColumn, Values};

/// Another request was faster, or a trigger of the table has overwritten the answer.
pub(crate) const LOST_RACE: u64 = 0;
/// The row has another name, which the column's collation treats as equal to the requested one.
pub(crate) const OTHER_NAME: u64 = 1;
/// The end of the row's lease is NULL.
pub(crate) const NO_END: u64 = 2;
/// Held by another owner; the remaining milliseconds are added.
pub(crate) const HELD: u64 = 3;
/// The same request was granted before, and its lease has ended.
pub(crate) const TOO_LATE: u64 = 400_000_000_000_000;
/// The lock is free, and its position does not let the run begin.
pub(crate) const NOT_DUE: u64 = TOO_LATE + 1;
/// The lease has ended, and perhaps nobody released the lock. The record can be read before it is overwritten.
pub(crate) const UNRELEASED: u64 = TOO_LATE + 2;
/// Paused by an operator; added to the number for "held".
pub(crate) const PAUSED: u64 = 500_000_000_000_000;
/// Granted: the answer is the fencing token, which is at least this number.
pub(crate) const GRANTED: u64 = 1_000_000_000_000_000;

/// A pause was written.
pub(crate) const PAUSE_WRITTEN: u64 = 2;
/// The end of a pause has passed, and nothing was written.
pub(crate) const END_HAS_PASSED: u64 = 0;

/// The answer of `acquire.sql`, from its insert id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Acquired {
    Granted { token: u64 },
    Held { remaining: Duration },
    Paused { remaining: Duration },
    TooLate,
    NotDue,
    Unreleased,
    NoEnd,
    OtherName,
    LostRace,
}

/// A pause that ends now.
const FIRST_PAUSED: u64 = PAUSED + HELD;

impl Acquired {
    const fn from_insert_id(id: u64) -> Self {
        match id {
            GRANTED.. => Self::Granted { token: id },
            FIRST_PAUSED.. => Self::Paused {
                remaining: Duration::from_millis(id - FIRST_PAUSED),
            },
            UNRELEASED => Self::Unreleased,
            NOT_DUE => Self::NotDue,
            TOO_LATE => Self::TooLate,
            HELD.. => Self::Held {
                remaining: Duration::from_millis(id - HELD),
            },
            NO_END => Self::NoEnd,
            OTHER_NAME => Self::OtherName,
            LOST_RACE => Self::LostRace,
        }
    }
}

pub(super) async fn acquire<D: Driver>(
    connection: &mut D::Connection,
    context: &Context<'_>,
    statement: &Statement,
    values: &Values<'_>,
) -> Result<AcquireAnswer, D::Error> {
    let done = context.execute::<D>(connection, statement, values).await?;
    Ok(match Acquired::from_insert_id(done.insert_id) {
        Acquired::Granted { token } => AcquireAnswer::Granted {
            token: (context.column == TokenColumn::Present).then_some(token),
            position: None,
            predecessor: None,
        },
        // A row was written, or read under its lock, and a trigger may have overwritten the answer.
        _ if done.rows > 0 => {
            let found = Box::pin(holder::<D>(connection, context, values)).await?;
            found.unwrap_or(AcquireAnswer::Contended)
        }
        // The record tells why the run may not begin.
        Acquired::LostRace | Acquired::NotDue => AcquireAnswer::Contended,
        Acquired::Paused { remaining } => AcquireAnswer::Paused {
            remaining: Some(remaining),
        },
        Acquired::TooLate => AcquireAnswer::TooLate,
        Acquired::Unreleased => AcquireAnswer::Unreleased,
        Acquired::Held { remaining } => AcquireAnswer::Held {
            owner: String::new(),
            remaining,
        },
        Acquired::NoEnd => AcquireAnswer::Unusable(UnusableRow::no_end()),
        Acquired::OtherName => AcquireAnswer::Unusable(UnusableRow::other_name()),
    })
}

/// Reads the row if the writing statement returned no answer: whether its lease is live, and whether the owner is this request's.
pub(super) async fn holder<D: Driver>(
    connection: &mut D::Connection,
    context: &Context<'_>,
    values: &Values<'_>,
) -> Result<Option<AcquireAnswer>, D::Error> {
    let statement = context.statements.holder(context.column);
    let rows = context.fetch::<D>(connection, statement, values).await?;
    rows.first().map(found).transpose()
}

pub(super) fn found<R: Row>(row: &R) -> Result<AcquireAnswer, R::Error> {
    let left = row.integer(1)?;
    let is_same = row.integer(2)?;
    let is_ours = row.integer(3)? == Some(1);
    let remaining = Duration::from_micros(left.unwrap_or_default().max(0).unsigned_abs());
    Ok(match (is_same, left) {
        (Some(0) | None, _) => AcquireAnswer::Unusable(UnusableRow::other_name()),
        (_, None) => AcquireAnswer::Unusable(UnusableRow::no_end()),
        (_, Some(1..)) if is_ours => AcquireAnswer::Granted {
            token: row.integer(4)?.and_then(|token| token.try_into().ok()),
            position: None,
            predecessor: None,
        },
        (_, Some(1..)) => AcquireAnswer::Held {
            owner: row.text(0)?.unwrap_or_default().to_owned(),
            remaining,
        },
        _ if is_ours => AcquireAnswer::TooLate,
        _ => AcquireAnswer::Contended,
    })
}

/// Pauses a lock; the answer is in the insert id.
pub(super) async fn pause<D: Driver>(
    connection: &mut D::Connection,
    context: &Context<'_>,
    values: &Values<'_>,
) -> Result<PauseAnswer, D::Error> {
    let statement = context.statements.admin.pause(context.column);
    let done = context.execute::<D>(connection, statement, values).await?;
    Ok(match done.insert_id {
        PAUSE_WRITTEN => PauseAnswer::Paused,
        OTHER_NAME => PauseAnswer::Unusable(UnusableRow::other_name()),
        END_HAS_PASSED if done.rows == 0 => PauseAnswer::EndHasPassed,
        // A trigger has overwritten the answer.
        _ => match holder::<D>(connection, context, values).await? {
            Some(AcquireAnswer::Unusable(row)) => PauseAnswer::Unusable(row),
            _ => PauseAnswer::Paused,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_one_meaning() {
        let read = Acquired::from_insert_id;
        let millis = Duration::from_millis;
        assert_eq!(read(LOST_RACE), Acquired::LostRace);
        assert_eq!(read(OTHER_NAME), Acquired::OtherName);
        assert_eq!(read(NO_END), Acquired::NoEnd);
        let held = |remaining| Acquired::Held { remaining };
        assert_eq!(read(HELD), held(Duration::ZERO));
        assert_eq!(read(TOO_LATE - 1), held(millis(TOO_LATE - 1 - HELD)));
        assert_eq!(read(TOO_LATE), Acquired::TooLate);
        assert_eq!(read(NOT_DUE), Acquired::NotDue);
        assert_eq!(read(UNRELEASED), Acquired::Unreleased);
        let paused = |remaining| Acquired::Paused { remaining };
        assert_eq!(read(PAUSED + HELD), paused(Duration::ZERO));
        assert_eq!(read(PAUSED + HELD + 7), paused(millis(7)));
        assert_eq!(read(GRANTED), Acquired::Granted { token: GRANTED });
    }
}
