//! Interprets the answers of the statements.

pub(crate) mod mysql;
pub(crate) mod position;
mod postgres;
pub(crate) mod records;
mod sqlite;

use std::time::{Duration, SystemTime};

use shedlock_runtime::{
    AcquireRequest, Acquisition, ErrorKind, LockError, Position, Predecessor, Refusal,
};

use crate::dialect::Dialect;
use crate::driver::{Driver, Row};
use crate::fault::Fault;
use crate::locks::Context;
use crate::statements::{Statement, Values};

/// The database's answer to a request for a lock.
#[derive(Debug)]
pub(crate) enum AcquireAnswer {
    /// The request was granted the lock.
    Granted {
        token: Option<u64>,
        /// The slot, instant or step that the request has begun, if the statement tells.
        position: Option<Position>,
        /// The holder before, if its lease ended without a release.
        predecessor: Option<Predecessor>,
    },
    /// The lease of another holder is live.
    Held {
        /// Empty if the database does not report the owner.
        owner: String,
        remaining: Duration,
    },
    /// An operator has paused the lock.
    Paused {
        /// None for a pause without an end, which only a manual edit can have written.
        remaining: Option<Duration>,
    },
    /// The lease of the last holder has ended, perhaps without a release. A statement that is `Taking` never gives this answer.
    Unreleased,
    /// The request was not granted the lock, and the database does not report more.
    Refused,
    /// The same request was granted before, and its lease has ended.
    TooLate,
    /// Another request was faster, and has released the lock since or is not visible.
    Contended,
    /// The lock is free, and the position in its record tells whether the run may begin.
    Free {
        /// The owner that held the lock last; empty if there is no record.
        owner: String,
        position: Option<Position>,
        /// The time when the record was read.
        now: SystemTime,
    },
    /// The row is invalid.
    Unusable(UnusableRow),
}

/// The database's answer to a pause.
#[derive(Debug)]
pub(crate) enum PauseAnswer {
    /// The lock is paused.
    Paused,
    /// The end of the pause is in the past by the configured clock; nothing was written.
    EndHasPassed,
    /// The row is invalid.
    Unusable(UnusableRow),
}

/// The problem of an invalid row, and its remedy.
#[derive(Debug)]
pub(crate) struct UnusableRow {
    problem: String,
    remedy: &'static str,
}

impl UnusableRow {
    /// The row has another name, which the database's collation treats as equal to the requested one.
    fn other_name() -> Self {
        Self {
            problem: "the table takes this name for another one that differs in case, accents or trailing blanks".to_owned(),
            remedy: "give the name's column a binary collation; `check_schema()` says how",
        }
    }

    /// The row has NULL for the end of its lease, which is neither held nor free.
    fn no_end() -> Self {
        Self {
            problem: "the end of the lease is NULL".to_owned(),
            remedy: "delete the row",
        }
    }
}

impl From<UnusableRow> for LockError {
    fn from(row: UnusableRow) -> Self {
        Self::new(ErrorKind::Schema, row.problem).with_remedy(row.remedy)
    }
}

impl AcquireAnswer {
    /// Converts the answer to this request.
    pub(crate) fn answer(self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let refusal = match self {
            Self::Granted {
                token,
                position,
                predecessor,
            } => {
                let lease = request.grant(token).taken_over_from(predecessor);
                return Ok(Acquisition::Granted(lease.at_position(position)));
            }
            Self::TooLate => return Err(request.too_late()),
            Self::Unusable(row) => return Err(row.into()),
            // Not every database reports the owner.
            Self::Held { owner, remaining } if owner.is_empty() => {
                Refusal::held().with_remaining(remaining)
            }
            Self::Held { owner, remaining } => Refusal::from_stored(&owner, remaining),
            Self::Paused { remaining } => {
                let mut refusal = Refusal::paused();
                refusal.remaining = remaining;
                refusal
            }
            // Usually true: the winner of a race nearly always still holds the lock when the losers get their answers.
            Self::Refused => Refusal::held(),
            Self::Contended | Self::Unreleased => Refusal::contended(),
            Self::Free {
                owner,
                position,
                now,
            } => match request.position_rule().map(|rule| rule.next(position, now)) {
                Some(Err(reason)) => Refusal::of_position(reason, &owner).with_position(position),
                // Another request held the lock until the record was read.
                Some(Ok(_)) | None => Refusal::contended(),
            },
        };
        Ok(Acquisition::Refused(refusal))
    }

    /// The same answer with the holder before, if the lock was granted.
    pub(crate) fn taken_over_from(self, found: Option<Predecessor>) -> Self {
        match self {
            Self::Granted {
                token, position, ..
            } => Self::Granted {
                token,
                position,
                predecessor: found,
            },
            other => other,
        }
    }

    /// The answer, if it shows that the lock is held.
    fn if_held(self) -> Option<Self> {
        matches!(self, Self::Held { .. }).then_some(self)
    }
}

/// A granted request, whose fencing token is in this column, and whose position in the three behind it, if it asked for one.
fn granted<R: Row>(row: &R, column: usize) -> AcquireAnswer {
    // An invalid token must not hide that the lock was granted.
    let token = row.integer(column).unwrap_or(None);
    AcquireAnswer::Granted {
        token: token.and_then(|token| token.try_into().ok()),
        position: records::position(row, column + 1),
        predecessor: None,
    }
}

/// Takes the lock with this statement.
pub(crate) async fn acquire<D: Driver>(
    connection: &mut D::Connection,
    context: &Context<'_>,
    statement: &Statement,
    values: &Values<'_>,
) -> Result<AcquireAnswer, D::Error> {
    match D::DIALECT {
        Dialect::Postgres => postgres::acquire::<D>(connection, context, statement, values).await,
        Dialect::MySql => mysql::acquire::<D>(connection, context, statement, values).await,
        Dialect::Sqlite => sqlite::acquire::<D>(connection, context, statement, values).await,
    }
}

/// The position that was begun, for an answer that does not tell: MySQL's is one number. It is for the history and the metrics, so an error
/// is none of the acquisition.
pub(crate) async fn begun<D: Driver>(
    connection: &mut D::Connection,
    context: &Context<'_>,
    values: &Values<'_>,
) -> Option<Position> {
    let read = &context.statements.admin.read_position;
    let rows = context.fetch::<D>(connection, read, values).await.ok()?;
    records::position(rows.first()?, 7)
}

/// Reads the record of a lock whose lease has ended: its holder, if nobody released the lock.
pub(crate) async fn predecessor<D: Driver>(
    connection: &mut D::Connection,
    context: &Context<'_>,
    values: &Values<'_>,
) -> Result<Option<Predecessor>, D::Error> {
    let admin = &context.statements.admin;
    let rows = context.fetch::<D>(connection, &admin.read_position, values);
    let rows = match rows.await {
        Err(error) if D::fault(&error) == Some(Fault::MissingColumn) => {
            let statement = admin.read_one(context.column);
            context.fetch::<D>(connection, statement, values).await?
        }
        read => read?,
    };
    Ok(rows.first().and_then(records::predecessor))
}

/// Reads who holds the lock, without waiting for row locks. Used after the table was busy.
pub(crate) async fn holder<D: Driver>(
    connection: &mut D::Connection,
    context: &Context<'_>,
    values: &Values<'_>,
) -> Result<Option<AcquireAnswer>, D::Error> {
    let found = match D::DIALECT {
        Dialect::Postgres => postgres::holder::<D>(connection, context, values).await,
        Dialect::MySql => mysql::holder::<D>(connection, context, values).await,
        Dialect::Sqlite => sqlite::holder::<D>(connection, context, values).await,
    };
    Ok(found?.and_then(AcquireAnswer::if_held))
}

/// Why a pause has written no row: its end has passed, or SQLite's collation has found the row of another lock.
async fn not_paused<D: Driver>(
    connection: &mut D::Connection,
    context: &Context<'_>,
    values: &Values<'_>,
) -> Result<PauseAnswer, D::Error> {
    if D::DIALECT == Dialect::Sqlite {
        let found = sqlite::holder::<D>(connection, context, values).await?;
        if let Some(AcquireAnswer::Unusable(row)) = found {
            return Ok(PauseAnswer::Unusable(row));
        }
    }
    Ok(PauseAnswer::EndHasPassed)
}

/// Pauses a lock.
pub(crate) async fn pause<D: Driver>(
    connection: &mut D::Connection,
    context: &Context<'_>,
    values: &Values<'_>,
) -> Result<PauseAnswer, D::Error> {
    if D::DIALECT == Dialect::MySql {
        return mysql::pause::<D>(connection, context, values).await;
    }
    let statement = context.statements.admin.pause(context.column);
    let done = context.execute::<D>(connection, statement, values).await?;
    Ok(match done.rows {
        0 => not_paused::<D>(connection, context, values).await?,
        _ => PauseAnswer::Paused,
    })
}
