//! What goes wrong in a database, in the words of a lock.

use std::fmt;
use std::io;

use shedlock_runtime::{ErrorKind, LockError};
use shedlock_sql::{Dialect, Fault, Names};

use crate::connections::NoConnection;
use crate::store::Backend;

/// What the error means, if the database itself reported it.
pub(crate) fn fault<DB: Backend>(error: &sqlx::Error) -> Option<Fault> {
    error.as_database_error().map(DB::fault)
}

/// No connection, so nothing was sent.
pub(crate) fn no_connection<DB: Backend>(names: &Names, none: NoConnection) -> LockError {
    let error = match none {
        NoConnection::Exhausted => {
            return LockError::new(ErrorKind::Unavailable, "all connections are in use")
                .with_remedy("give the lock provider connections of its own, or the pool more");
        }
        NoConnection::Slow(limit) => {
            let problem = format!("the database gave no connection within {limit:.1?}");
            return LockError::new(ErrorKind::Timeout, problem);
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
        // The rest is a connection that broke, or an answer that could not be read: the statement may have run.
        return LockError::new(
            ErrorKind::Indeterminate,
            "the connection broke before the answer came",
        )
        .with_source(error);
    };
    let (kind, problem, remedy) = explain(names, DB::fault(database), database.message());
    let explained = LockError::new(kind, problem).with_source(error);
    match remedy {
        Some(remedy) => explained.with_remedy(remedy),
        None => explained,
    }
}

fn explain(names: &Names, fault: Fault, message: &str) -> (ErrorKind, String, Option<String>) {
    let table = names.table();
    match fault {
        Fault::MissingTable => (
            ErrorKind::Schema,
            format!("the table `{table}` does not exist"),
            Some(format!(
                "call `ensure_schema()` or run: {}",
                one_line(&names.ddl())
            )),
        ),
        Fault::MissingColumn => (
            ErrorKind::Schema,
            format!("the table `{table}` lacks a column: {message}"),
            Some(compare(names)),
        ),
        Fault::MissingKey => (
            ErrorKind::Schema,
            format!("the table `{table}` has no primary key, so two nodes could hold one lock"),
            Some(names.add_key()),
        ),
        Fault::Shape => (
            ErrorKind::Schema,
            format!("the table `{table}` is not as a lock needs it: {message}"),
            Some(compare(names)),
        ),
        Fault::TooLong => (
            ErrorKind::Schema,
            format!("a column of the table `{table}` is too short: {message}"),
            Some(compare(names)),
        ),
        Fault::OutOfRange => (
            ErrorKind::InvalidDuration,
            format!("the lease would end past what the table `{table}` can keep: {message}"),
            None,
        ),
        Fault::Permission => (
            ErrorKind::Permission,
            format!("the database's user may not use the table `{table}`: {message}"),
            Some(format!("run: {}", names.grant())),
        ),
        Fault::ReadOnly => (
            ErrorKind::ReadOnly,
            "the database takes no writes at present".to_owned(),
            Some("point the provider at the primary".to_owned()),
        ),
        Fault::Login => (
            ErrorKind::Configuration,
            format!("the database refused the login: {message}"),
            None,
        ),
        Fault::Contention => (
            ErrorKind::Unavailable,
            format!("the database is busy: {message}"),
            None,
        ),
        Fault::Unavailable => (
            ErrorKind::Unavailable,
            format!("the database refused: {message}"),
            None,
        ),
        _ => (
            ErrorKind::Other,
            format!("the database refused: {message}"),
            None,
        ),
    }
}

/// A row is not as it must be.
pub(crate) fn unusable(problem: String, remedy: String) -> LockError {
    LockError::new(ErrorKind::Schema, problem).with_remedy(remedy)
}

fn compare(names: &Names) -> String {
    format!(
        "`check_schema()` lists all differences from: {}",
        one_line(&names.ddl())
    )
}

/// A URL that cannot be understood.
pub(crate) fn url(dialect: Dialect, url: &str, error: &sqlx::Error) -> LockError {
    let problem = match error.to_string() {
        // A password with an unescaped `/` or `?` may land in the part that is complained about.
        message if repeats_secret(url, &message) => "the connection URL is not valid".to_owned(),
        message => format!("the connection URL is not valid: {message}"),
    };
    LockError::new(ErrorKind::Configuration, problem).with_remedy(format!(
        "expected `{}`, with special characters in the password percent-encoded",
        example(dialect)
    ))
}

/// Refuses another database's URL, which sqlx takes: SQLite as the name of a file.
pub(crate) fn check_scheme(dialect: Dialect, url: &str) -> Result<(), LockError> {
    let schemes: &[&str] = match dialect {
        Dialect::Postgres => &["postgres", "postgresql"],
        Dialect::MySql => &["mysql", "mariadb"],
        _ => &["sqlite"],
    };
    match url.split_once("://") {
        Some((scheme, _)) if !schemes.contains(&scheme) => {
            let problem = "the connection URL is not for this kind of database";
            let remedy = format!("expected `{}`", example(dialect));
            Err(LockError::new(ErrorKind::Configuration, problem).with_remedy(remedy))
        }
        _ => Ok(()),
    }
}

fn example(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "postgres://user:password@host:5432/database",
        Dialect::MySql => "mysql://user:password@host:3306/database",
        _ => "sqlite://file.db",
    }
}

/// Whether `message` quotes anything that follows the user's name in `url`.
fn repeats_secret(url: &str, message: &str) -> bool {
    let Some((_scheme, rest)) = url.split_once("://") else {
        return message.contains('`') || message.contains('"');
    };
    let Some((_user, secret)) = rest.split_once(':') else {
        return false;
    };
    // Any piece of it, as a parser may have cut it anywhere.
    secret
        .split(|c: char| !c.is_alphanumeric())
        .filter(|piece| piece.len() > 2)
        .any(|piece| message.contains(piece))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
