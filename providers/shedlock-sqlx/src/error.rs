//! What goes wrong in a database, in the words of a lock.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use shedlock_runtime::{ErrorKind, LockError};
use shedlock_sql::{Dialect, Fault, Names};

use crate::connections::NoConnection;
use crate::explain::{compare, explain};
use crate::store::Backend;

/// What the error means, if the database itself reported it.
pub(crate) fn fault<DB: Backend>(error: &sqlx::Error) -> Option<Fault> {
    error.as_database_error().map(DB::fault)
}

/// No connection, so nothing was sent. The call began at `began`, by a clock that nobody can stop.
pub(crate) fn no_connection<DB: Backend>(
    names: &Names,
    none: NoConnection,
    began: Instant,
) -> LockError {
    let error = match none {
        NoConnection::Exhausted => {
            return LockError::new(ErrorKind::Unavailable, "all connections are in use")
                .with_remedy("give the lock provider connections of its own, or the pool more");
        }
        NoConnection::Waiting => {
            let problem = "all connections of the lock provider wait for the database";
            return LockError::new(ErrorKind::Unavailable, problem);
        }
        NoConnection::Slow(limit) => {
            let problem = format!("the database gave no connection within {limit:.1?}");
            let slow = LockError::new(ErrorKind::Timeout, problem);
            // The whole limit has passed on tokio's clock.
            return if began.elapsed() < limit / 2 {
                slow.with_remedy(
                    "tokio's time is paused, and a database needs time that runs: let the test resume it, or use \
                     `InMemoryLockProvider`",
                )
            } else {
                slow
            };
        }
        NoConnection::Failed(error) => error,
    };
    match error {
        sqlx::Error::Database(_) => asked::<DB>(names, error),
        sqlx::Error::PoolClosed => LockError::new(ErrorKind::Unavailable, "the pool is closed"),
        sqlx::Error::Configuration(_) => LockError::new(
            ErrorKind::Configuration,
            "the database could not be connected to as configured",
        )
        .with_source(error),
        sqlx::Error::Tls(ref why) => no_tls(why).with_source(error),
        // As rustls says what it thinks of a certificate. Nothing else reads data before there is a connection.
        sqlx::Error::Io(ref why) if why.kind() == io::ErrorKind::InvalidData => {
            let authority = match DB::DIALECT {
                Dialect::MySql => "ssl-ca",
                _ => "sslrootcert",
            };
            no_tls(why)
                .with_remedy(format!(
                    "check the server's certificate, its host in the URL, and the authority in `{authority}`"
                ))
                .with_source(error)
        }
        sqlx::Error::Protocol(_) => LockError::new(
            ErrorKind::Configuration,
            "what answers there does not speak the database's protocol",
        )
        .with_remedy("check the port, and whether it wants TLS")
        .with_source(error),
        error => LockError::new(ErrorKind::Unavailable, "the database could not be reached")
            .with_source(error),
    }
}

fn no_tls(why: &dyn fmt::Display) -> LockError {
    let problem = format!("there is no TLS with the database: {why}");
    LockError::new(ErrorKind::Configuration, problem)
}

/// A statement failed.
pub(crate) fn asked<DB: Backend>(names: &Names, error: sqlx::Error) -> LockError {
    let Some(database) = error.as_database_error() else {
        if is_unreadable(&error) {
            return LockError::new(ErrorKind::Schema, "the database's answer cannot be read")
                .with_remedy(format!(
                    "compare the session's settings with their defaults, and {}",
                    compare(names)
                ))
                .with_source(error);
        }
        // The rest is a connection that broke, or an answer that could not be read: the statement may have run.
        return LockError::new(
            ErrorKind::Indeterminate,
            "the connection broke before the answer came",
        )
        .with_source(error);
    };
    let fault = DB::fault(database);
    let (kind, problem, remedy) = explain(names, fault, database.message());
    let explained = LockError::new(kind, problem).with_source(error);
    match remedy {
        Some(remedy) => explained.with_remedy(remedy),
        None => explained,
    }
}

/// An answer came that is none: a row without the columns or types that were asked for.
fn is_unreadable(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::TypeNotFound { .. }
            | sqlx::Error::RowNotFound
    )
}

/// A connection that sat idle has not answered, and there is no other one.
pub(crate) fn silent(patience: Duration) -> LockError {
    let problem = format!("a connection that had been idle gave no answer within {patience:.1?}");
    LockError::new(ErrorKind::Timeout, problem)
}

/// The file was replaced each time that it was opened.
pub(crate) fn moved() -> LockError {
    LockError::new(
        ErrorKind::Unavailable,
        "the database's file is moved or replaced at this moment",
    )
}

/// Each connection that the pool gave was inside a transaction.
pub(crate) fn inside_transaction() -> LockError {
    LockError::new(
        ErrorKind::Configuration,
        "the pool's connections are inside a transaction when they are handed out, and a lock that is taken there may be \
         rolled back",
    )
    .with_remedy(
        "begin no transaction in `after_connect` or `before_acquire`, and end each before its connection goes back to the pool",
    )
}

/// Nobody would commit the lock.
pub(crate) fn autocommit_off() -> LockError {
    LockError::new(
        ErrorKind::Configuration,
        "autocommit is off in the pool's sessions, so a lock would not be committed",
    )
    .with_remedy("run `SET autocommit = 1` in `after_connect`, or give the lock provider connections of its own")
}

/// A row is not as it must be.
pub(crate) fn unusable(problem: String, remedy: String) -> LockError {
    LockError::new(ErrorKind::Schema, problem).with_remedy(remedy)
}

/// SQL without line breaks.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
