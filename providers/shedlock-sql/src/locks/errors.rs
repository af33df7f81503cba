//! The errors that arise between a call and the database.

use std::time::{Duration, Instant};

use shedlock_runtime::{ErrorKind, LockError};

use crate::dialect::Dialect;
use crate::driver::{Connection as _, Driver, NoConnection, Row as _};
use crate::explain;
use crate::fault::Fault;
use crate::names::Names;

/// The error for a call without a connection: nothing was sent. `began` is the call's start by the system's clock, not tokio's.
pub(super) fn no_connection<D: Driver>(
    names: &Names,
    none: NoConnection<D::Error>,
    began: Instant,
) -> LockError {
    match none {
        NoConnection::Exhausted => {
            LockError::new(ErrorKind::Unavailable, "all connections are in use")
                .with_remedy("give the lock provider connections of its own, or the pool more")
        }
        NoConnection::Waiting => {
            let problem = "all connections of the lock provider wait for the database";
            LockError::new(ErrorKind::Unavailable, problem)
        }
        NoConnection::Slow(limit) => slow(limit, began),
        NoConnection::Failed(error) => D::unreachable(names, error),
    }
}

fn slow(limit: Duration, began: Instant) -> LockError {
    let problem = format!("the database gave no connection within {limit:.1?}");
    let slow = LockError::new(ErrorKind::Timeout, problem);
    // The whole limit has passed on tokio's clock, so that one is paused.
    if began.elapsed() < limit / 2 {
        slow.with_remedy(
            "tokio's time is paused, and a database needs time that runs: let the test resume it, or use \
             `InMemoryLockProvider`",
        )
    } else {
        slow
    }
}

/// The error for a connection that did not answer, if there is no other one.
pub(super) fn silent(patience: Duration) -> LockError {
    let problem =
        format!("a connection that was open already gave no answer within {patience:.1?}");
    LockError::new(ErrorKind::Timeout, problem)
}

/// The error for a SQLite file that was replaced each time it was opened.
pub(super) fn moved() -> LockError {
    LockError::new(
        ErrorKind::Unavailable,
        "the database's file is moved or replaced at this moment",
    )
}

/// The error for connections of the program that were all inside a transaction.
pub(super) fn inside_transaction() -> LockError {
    LockError::new(
        ErrorKind::Configuration,
        "the program's connections are inside a transaction when the provider uses them, and a lock that is taken there may be \
         rolled back",
    )
    .with_remedy(
        "in a pool, begin no transaction in a hook such as `after_connect`, and end each before its connection goes back; run \
         none on a client that the provider has",
    )
}

/// The error for the session's settings, if they are why a statement was refused that would also be refused inside a transaction.
pub(super) async fn of_settings<D: Driver>(
    connection: &mut D::Connection,
    names: &Names,
) -> Result<Option<LockError>, D::Error> {
    if D::DIALECT != Dialect::MySql {
        return Ok(None);
    }
    let look = "SELECT @@autocommit, \
        0 /*M!100202 + (@@log_bin = 1 AND @@binlog_format = 'STATEMENT') */";
    let rows = connection.query(look.to_owned()).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(match (row.integer(0)?, row.integer(1)?) {
        (Some(0), _) => Some(autocommit_off()),
        (_, Some(1)) => Some(explain::reported(names, Fault::StatementLog, "")),
        _ => None,
    })
}

/// The error for a session with autocommit off: nothing would commit the lock.
fn autocommit_off() -> LockError {
    LockError::new(
        ErrorKind::Configuration,
        "autocommit is off in the pool's sessions, so a lock would not be committed",
    )
    .with_remedy("run `SET autocommit = 1` in `after_connect`, or give the lock provider connections of its own")
}

/// The error for a temporary table: only one connection would see the locks.
pub(super) fn temporary(names: &Names) -> LockError {
    let problem = format!(
        "`{}` is a temporary table here, which one connection alone sees",
        names.table()
    );
    LockError::new(ErrorKind::Configuration, problem)
        .with_remedy("drop it, or name the table's schema: `table_name(\"schema.table\")`")
}
