//! The errors of the driver and of a pool, and what they mean for a lock.

use std::error::Error as StdError;
use std::fmt;

use shedlock_runtime::{ErrorKind, LockError};
use shedlock_sql::{Dialect, Fault, Names, explain};
use tokio_postgres::error::DbError;

/// Why a statement failed, or why there is no connection.
#[derive(Debug)]
pub(crate) enum Error {
    /// The error of the driver, which may be one of the database.
    Driver(tokio_postgres::Error),
    /// A row without this column, or with another type in it.
    Unreadable(tokio_postgres::Error),
    /// A text in this column that is none of the expected type.
    OtherType(usize),
    /// The client that the program has handed over has lost its connection.
    ClientClosed,
    /// The certificates for TLS cannot be used.
    #[cfg(feature = "rustls")]
    Certificates(String),
    #[cfg(feature = "deadpool")]
    PoolClosed,
    /// The pool refused to hand out a connection.
    #[cfg(feature = "deadpool")]
    Pool(deadpool_postgres::PoolError),
}

impl Error {
    /// The error that the database reported, if it did.
    fn reported(&self) -> Option<&DbError> {
        match self {
            Self::Driver(error) => error.as_db_error(),
            #[cfg(feature = "deadpool")]
            Self::Pool(deadpool_postgres::PoolError::Backend(error)) => error.as_db_error(),
            _ => None,
        }
    }

    /// The code of the error that the database reported.
    pub(crate) fn code(&self) -> Option<&str> {
        self.reported().map(|error| error.code().code())
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        let reported = self.reported()?;
        let (code, message) = (reported.code().code(), reported.message());
        Some(Fault::from_code(Dialect::Postgres, code, message))
    }

    pub(crate) fn message(&self) -> String {
        match self.reported() {
            Some(reported) => reported.message().to_owned(),
            None => self.to_string(),
        }
    }

    /// The error of a failed statement.
    pub(crate) fn failed(self, names: &Names) -> LockError {
        let explained = match (self.fault(), &self) {
            (Some(fault), _) => explain::reported(names, fault, &self.message()),
            (None, Self::Unreadable(_) | Self::OtherType(_)) => explain::unreadable(names),
            // The statement may have been executed.
            _ => explain::broken(),
        };
        explained.with_source(self)
    }

    /// The error of a connection that could not be opened.
    pub(crate) fn unreachable(self, names: &Names) -> LockError {
        if self.reported().is_some() {
            return self.failed(names);
        }
        let explained = match &self {
            Self::Driver(error) => not_opened(error),
            Self::ClientClosed => client_closed(),
            #[cfg(feature = "rustls")]
            Self::Certificates(why) => explain::no_tls(why),
            #[cfg(feature = "deadpool")]
            Self::PoolClosed => explain::pool_closed(),
            #[cfg(feature = "deadpool")]
            Self::Pool(deadpool_postgres::PoolError::Backend(error)) => not_opened(error),
            _ => explain::unreachable(),
        };
        explained.with_source(self)
    }
}

/// The driver keeps the kind of its error to itself, apart from the words that it begins with.
fn not_opened(error: &tokio_postgres::Error) -> LockError {
    let why = || {
        error
            .source()
            .map_or_else(|| error.to_string(), ToString::to_string)
    };
    match error.to_string().as_str() {
        "error performing TLS handshake" if is_rejected_certificate(error) => {
            explain::bad_certificate(Dialect::Postgres, &why())
        }
        "error performing TLS handshake" => explain::no_tls(&why()),
        "authentication error" | "invalid configuration" => not_as_configured(&why()),
        "unexpected message from server" | "error parsing response from server" => {
            explain::other_protocol()
        }
        _ => explain::unreachable(),
    }
}

fn not_as_configured(why: &str) -> LockError {
    let problem = format!("the database could not be connected to as configured: {why}");
    LockError::new(ErrorKind::Configuration, problem)
}

fn client_closed() -> LockError {
    let problem = "the connection of the client that the program handed over has ended";
    LockError::new(ErrorKind::Unavailable, problem)
        .with_remedy("hand over a pool, or let the provider connect by itself: both replace a connection that has ended")
}

#[cfg(feature = "rustls")]
fn is_rejected_certificate(error: &tokio_postgres::Error) -> bool {
    let io = error.source().and_then(<dyn StdError>::downcast_ref);
    let cause = io.and_then(std::io::Error::get_ref);
    let cause = cause.and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_)))
}

#[cfg(not(feature = "rustls"))]
fn is_rejected_certificate(_error: &tokio_postgres::Error) -> bool {
    false
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driver(error) | Self::Unreadable(error) => error.fmt(f),
            Self::OtherType(column) => write!(f, "column {column} has a value of another type"),
            Self::ClientClosed => f.write_str("the client is closed"),
            #[cfg(feature = "rustls")]
            Self::Certificates(why) => f.write_str(why),
            #[cfg(feature = "deadpool")]
            Self::PoolClosed => f.write_str("the pool is closed"),
            #[cfg(feature = "deadpool")]
            Self::Pool(error) => error.fmt(f),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Driver(error) | Self::Unreadable(error) => error.source(),
            #[cfg(feature = "deadpool")]
            Self::Pool(error) => error.source(),
            _ => None,
        }
    }
}
