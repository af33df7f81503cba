//! What goes wrong between a call and the database, in the words of a lock.

use std::time::{Duration, Instant};

use shedlock_runtime::{ErrorKind, LockError};

use crate::dialect::Dialect;
use crate::driver::{Connection as _, Driver, NoConnection, Row as _};
use crate::names::Names;

/// No connection, so nothing was sent. The call began at `began`, by a clock that nobody can stop.
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
    // The whole limit has passed on tokio's clock.
    if began.elapsed() < limit / 2 {
        slow.with_remedy(
            "tokio's time is paused, and a database needs time that runs: let the test resume it, or use \
             `InMemoryLockProvider`",
        )
    } else {
        slow
    }
}

/// A connection that sat idle has not answered, and there is no other one.
pub(super) fn silent(patience: Duration) -> LockError {
    let problem = format!("a connection that had been idle gave no answer within {patience:.1?}");
    LockError::new(ErrorKind::Timeout, problem)
}

/// The file was replaced each time that it was opened.
pub(super) fn moved() -> LockError {
    LockError::new(
        ErrorKind::Unavailable,
        "the database's file is moved or replaced at this moment",
    )
}

/// Each connection that the pool gave was inside a transaction.
pub(super) fn inside_transaction() -> LockError {
    LockError::new(
        ErrorKind::Configuration,
        "the pool's connections are inside a transaction when they are handed out, and a lock that is taken there may be \
         rolled back",
    )
    .with_remedy(
        "begin no transaction in `after_connect` or `before_acquire`, and end each before its connection goes back to the pool",
    )
}

/// Whether the session commits nothing by itself.
pub(super) async fn is_autocommit_off<D: Driver>(
    connection: &mut D::Connection,
) -> Result<bool, D::Error> {
    if D::DIALECT != Dialect::MySql {
        return Ok(false);
    }
    let rows = connection.query("SELECT @@autocommit".to_owned()).await?;
    let is_on = rows.first().map(|row| row.integer(0)).transpose()?;
    Ok(is_on.flatten() == Some(0))
}

/// Nobody would commit the lock.
pub(super) fn autocommit_off() -> LockError {
    LockError::new(
        ErrorKind::Configuration,
        "autocommit is off in the pool's sessions, so a lock would not be committed",
    )
    .with_remedy("run `SET autocommit = 1` in `after_connect`, or give the lock provider connections of its own")
}

/// One connection alone would see the locks.
pub(super) fn temporary(names: &Names) -> LockError {
    let problem = format!(
        "`{}` is a temporary table here, which one connection alone sees",
        names.table()
    );
    LockError::new(ErrorKind::Configuration, problem)
        .with_remedy("drop it, or name the table's schema: `table_name(\"schema.table\")`")
}
