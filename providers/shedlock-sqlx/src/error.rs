//! What sqlx's errors mean.

use std::io;

use shedlock_runtime::LockError;
use shedlock_sql::{Names, explain};

use crate::database::Backend;

/// A statement failed.
pub(crate) fn failed<DB: Backend>(names: &Names, error: sqlx::Error) -> LockError {
    let explained = match error.as_database_error() {
        Some(reported) => explain::reported(names, DB::fault(reported), reported.message()),
        None if is_unreadable(&error) => explain::unreadable(names),
        // The rest is a connection that broke, or an answer that could not be read: the statement may have run.
        None => explain::broken(),
    };
    explained.with_source(error)
}

/// No connection could be opened.
pub(crate) fn unreachable<DB: Backend>(names: &Names, error: sqlx::Error) -> LockError {
    let explained = match &error {
        sqlx::Error::Database(_) => return failed::<DB>(names, error),
        sqlx::Error::PoolClosed => return explain::pool_closed(),
        sqlx::Error::Configuration(_) => explain::not_as_configured(),
        sqlx::Error::Tls(why) => explain::no_tls(why),
        // As rustls says what it thinks of a certificate. Nothing else reads data before there is a connection.
        sqlx::Error::Io(why) if why.kind() == io::ErrorKind::InvalidData => {
            explain::bad_certificate(DB::DIALECT, why)
        }
        sqlx::Error::Protocol(_) => explain::other_protocol(),
        _ => explain::unreachable(),
    };
    explained.with_source(error)
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
