//! What the answers of the statements mean to a lock.

pub(crate) mod mysql;
mod postgres;
pub(crate) mod records;
mod sqlite;

use std::time::Duration;

use shedlock_runtime::{AcquireRequest, Acquisition, ErrorKind, LockError, Refusal};

use crate::dialect::Dialect;
use crate::driver::Driver;
use crate::locks::Context;
use crate::statements::{Sending, Values};

/// What the database says to a request for a lock.
#[derive(Debug)]
pub(crate) enum AcquireAnswer {
    /// The lock is ours.
    Granted { token: Option<u64> },
    /// Somebody else's lease is live.
    Held {
        /// Empty where the database does not say.
        owner: String,
        remaining: Duration,
    },
    /// An operator has paused the lock.
    Paused {
        /// Nothing for a pause without end, which only another hand can have written.
        remaining: Option<Duration>,
    },
    /// It is not ours, and the database does not say more.
    Refused,
    /// This very request was granted before, and its lease has ended.
    TooLate,
    /// Somebody else was faster, and has finished or is not to be seen.
    Contended,
    /// The row is not as it must be.
    Unusable(UnusableRow),
}

/// What the database says to a pause.
#[derive(Debug)]
pub(crate) enum PauseAnswer {
    /// The lock is paused.
    Paused,
    /// The pause would have ended by the clock that decides; nothing was written.
    EndHasPassed,
    /// The row is not as it must be.
    Unusable(UnusableRow),
}

/// What is wrong with a row, and what to do about it.
#[derive(Debug)]
pub(crate) struct UnusableRow {
    problem: String,
    remedy: &'static str,
}

impl UnusableRow {
    /// The row's name is another one, which the database takes for the one that was asked for.
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
    /// What the answer means to this request.
    pub(crate) fn answer(self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let refusal = match self {
            Self::Granted { token } => return Ok(Acquisition::Granted(request.grant(token))),
            Self::TooLate => return Err(request.too_late()),
            Self::Unusable(row) => return Err(row.into()),
            // Not every database says who.
            Self::Held { owner, remaining } if owner.is_empty() => {
                Refusal::held().with_remaining(remaining)
            }
            Self::Held { owner, remaining } => Refusal::from_stored(&owner, remaining),
            Self::Paused { remaining } => {
                let mut refusal = Refusal::paused();
                refusal.remaining = remaining;
                refusal
            }
            // Nearly always: a lost race is over before the losers are told.
            Self::Refused => Refusal::held(),
            Self::Contended => Refusal::contended(),
        };
        Ok(Acquisition::Refused(refusal))
    }

    /// The answer, if it says that somebody holds the lock.
    fn if_held(self) -> Option<Self> {
        matches!(self, Self::Held { .. }).then_some(self)
    }
}

/// Takes the lock.
pub(crate) async fn acquire<D: Driver>(
    connection: &mut D::Connection,
    context: &Context<'_>,
    values: &Values<'_>,
    sending: Sending,
) -> Result<AcquireAnswer, D::Error> {
    match D::DIALECT {
        Dialect::Postgres => postgres::acquire::<D>(connection, context, values, sending).await,
        Dialect::MySql => mysql::acquire::<D>(connection, context, values, sending).await,
        Dialect::Sqlite => sqlite::acquire::<D>(connection, context, values, sending).await,
    }
}

/// Who holds the lock, as far as can be told without waiting for anybody: asked when the table was busy.
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
        // Nothing else writes no row.
        0 => PauseAnswer::EndHasPassed,
        _ => PauseAnswer::Paused,
    })
}
