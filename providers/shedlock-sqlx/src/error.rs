//! Converts sqlx's errors.

use std::io;

use shedlock_runtime::LockError;
use shedlock_sql::{Names, explain};

use crate::database::Backend;

/// The error for a failed statement.
pub(crate) fn failed<DB: Backend>(names: &Names, error: sqlx::Error) -> LockError {
    let explained = match error.as_database_error() {
        Some(reported) => explain::reported(names, DB::fault(reported), reported.message()),
        None if is_unreadable(&error) => explain::unreadable(names),
        // Otherwise the connection broke, or the answer could not be read: the statement may have been executed.
        None => explain::broken(),
    };
    explained.with_source(error)
}

/// The error for a connection that could not be opened.
pub(crate) fn unreachable<DB: Backend>(names: &Names, error: sqlx::Error) -> LockError {
    let explained = match &error {
        sqlx::Error::Database(_) => return failed::<DB>(names, error),
        sqlx::Error::PoolClosed => return explain::pool_closed(),
        sqlx::Error::Configuration(_) => explain::not_as_configured(),
        sqlx::Error::Tls(why) => explain::no_tls(why),
        // rustls reports a rejected certificate with this kind, and nothing else reads data before the connection is open.
        sqlx::Error::Io(why) if why.kind() == io::ErrorKind::InvalidData => {
            explain::bad_certificate(DB::DIALECT, why)
        }
        sqlx::Error::Protocol(_) => explain::other_protocol(),
        _ => explain::unreachable(),
    };
    explained.with_source(error)
}

/// Whether the result cannot be read: a row lacks a requested column, or a column has an unexpected type.
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
