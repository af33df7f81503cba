//! Builds the [`LockError`] for an error of a database, for [`Driver::failed`](crate::Driver::failed) and
//! [`Driver::unreachable`](crate::Driver::unreachable). The driver adds its own error as the source.

mod history;

use std::fmt;

use shedlock_runtime::{ErrorKind, LockError};

use crate::dialect::Dialect;
use crate::fault::Fault;
use crate::names::Names;
use crate::statements::template::one_line;

/// The kind, the problem and the remedy.
type Explained = (ErrorKind, String, Option<String>);

/// The error for a `fault` that the database reported with this `message`.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::ErrorKind;
/// use shedlock_sql::{Dialect, Fault, Names, explain};
///
/// let names = Names::shedlock(Dialect::Postgres);
/// let error = explain::reported(&names, Fault::MissingTable, "relation \"shedlock\" does not exist");
/// assert_eq!(error.kind(), ErrorKind::Schema);
/// assert!(error.to_string().contains("call `ensure_schema()`"));
/// ```
#[must_use]
pub fn reported(names: &Names, fault: Fault, message: &str) -> LockError {
    let explained = if names.is_history() {
        history::about_table(names, fault, message)
    } else {
        about_table(names, fault, message)
    };
    let (kind, problem, remedy) =
        explained.unwrap_or_else(|| about_connection(names, fault, message));
    let error = LockError::new(kind, problem);
    match remedy {
        Some(remedy) => error.with_remedy(remedy),
        None => error,
    }
}

/// The error for a result that cannot be read: a row lacks a requested column, or a column has an unexpected type.
#[must_use]
pub fn unreadable(names: &Names) -> LockError {
    LockError::new(ErrorKind::Schema, "the database's answer cannot be read").with_remedy(format!(
        "compare the session's settings with their defaults, and {}",
        compare(names)
    ))
}

/// The error for a connection that broke before the answer: the statement may have been executed.
#[must_use]
pub fn broken() -> LockError {
    LockError::new(
        ErrorKind::Indeterminate,
        "the connection broke before the answer came",
    )
}

/// The error for connection settings that the driver rejects.
#[must_use]
pub fn not_as_configured() -> LockError {
    LockError::new(
        ErrorKind::Configuration,
        "the database could not be connected to as configured",
    )
}

/// The error for a TLS connection that could not be established, because of `why`.
#[must_use]
pub fn no_tls(why: &dyn fmt::Display) -> LockError {
    let problem = format!("there is no TLS with the database: {why}");
    LockError::new(ErrorKind::Configuration, problem)
}

/// The error for a server certificate that was rejected.
#[must_use]
pub fn bad_certificate(dialect: Dialect, why: &dyn fmt::Display) -> LockError {
    let authority = match dialect {
        Dialect::MySql => "ssl-ca",
        Dialect::Postgres | Dialect::Sqlite => "sslrootcert",
    };
    no_tls(why).with_remedy(format!(
        "check the server's certificate, its host in the URL, and the authority in `{authority}`"
    ))
}

/// The error for a server that does not speak the database's protocol.
#[must_use]
pub fn other_protocol() -> LockError {
    LockError::new(
        ErrorKind::Configuration,
        "what answers there does not speak the database's protocol",
    )
    .with_remedy("check the port, and whether it wants TLS")
}

/// The error for a pool that the program has closed.
#[must_use]
pub fn pool_closed() -> LockError {
    LockError::new(ErrorKind::Unavailable, "the pool is closed")
}

/// The error for a server that does not answer at the database's address.
#[must_use]
pub fn unreachable() -> LockError {
    LockError::new(ErrorKind::Unavailable, "the database could not be reached")
}

fn about_table(names: &Names, fault: Fault, message: &str) -> Option<Explained> {
    let table = names.table();
    Some(match fault {
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
            // Within the range of a TIMESTAMP, only times that the zone skips when daylight saving time begins are invalid.
            if year_in(message).is_some_and(|year| (1971..2038).contains(&year)) {
                ErrorKind::Schema
            } else {
                ErrorKind::InvalidDuration
            },
            format!("the table `{table}` cannot keep the end of the lease: {message}"),
            Some(match names.dialect() {
                Dialect::MySql => format!(
                    "make its times DATETIME(6), which have no zone: a TIMESTAMP ends in 2038, and has no times in the hour \
                     that the session's time zone leaves out when clocks go forward; {}",
                    names.alter_times()
                ),
                _ => "ask for a shorter lease".to_owned(),
            }),
        ),
        Fault::Permission => (
            ErrorKind::Permission,
            format!("the database's user may not use the table `{table}`: {message}"),
            Some(format!("run: {}", names.grant())),
        ),
        Fault::Policy => (
            ErrorKind::Permission,
            format!(
                "a policy of row-level security on the table `{table}` hides or forbids this row: {message}"
            ),
            Some(format!(
                "give the user a policy for all rows and commands: CREATE POLICY shedlock ON {} USING (true) WITH CHECK (true)",
                names.quoted_table()
            )),
        ),
        _ => return None,
    })
}

fn about_connection(names: &Names, fault: Fault, message: &str) -> Explained {
    match fault {
        Fault::ReadOnly if names.dialect() == Dialect::Sqlite => (
            ErrorKind::ReadOnly,
            format!("this process may not write the database's file or its folder: {message}"),
            Some("give its user the permission to write both, and take `mode=ro` and `immutable` out of the URL".to_owned()),
        ),
        Fault::ReadOnly => (
            ErrorKind::ReadOnly,
            format!("the database takes no writes at present: {message}"),
            Some("point the provider at the primary".to_owned()),
        ),
        Fault::NoDatabase if names.dialect() == Dialect::Sqlite => (
            ErrorKind::Configuration,
            format!("the file is no SQLite database, or is encrypted: {message}"),
            Some("name the database's file in the connection URL".to_owned()),
        ),
        Fault::NoDatabase => (
            ErrorKind::Configuration,
            format!("the session has no database, so `{}` names no table", names.table()),
            Some("name a database in the connection URL, or in `table_name(\"database.table\")`".to_owned()),
        ),
        Fault::Pooler => (
            ErrorKind::Configuration,
            format!("a pooler gives statements to other connections than they were prepared on: {message}"),
            Some("build the provider with `persistent_statements(false)`".to_owned()),
        ),
        Fault::OtherZone => (
            ErrorKind::Configuration,
            format!(
                "the session, or the server, is in another time zone than when the table `{}` was first used, and times in the \
                 table depend on the zone: {message}",
                names.table()
            ),
            Some(format!(
                "let nothing set another zone in a transaction or in a session that goes back to its pool, restart all \
                 programs after the server's zone was changed, or make the times of a type without a zone: {}",
                names.alter_times()
            )),
        ),
        Fault::StatementLog => (
            ErrorKind::Configuration,
            "the server logs statements for its replicas (`binlog_format = STATEMENT`), and locks cannot be replicated so"
                .to_owned(),
            Some("set `binlog_format` to `MIXED` or `ROW` on the server, and open new connections".to_owned()),
        ),
        // The statement may have been executed before the server ended the session.
        Fault::Goodbye => (
            ErrorKind::Indeterminate,
            format!("the database ended the connection: {message}"),
            None,
        ),
        Fault::Outdated => (
            ErrorKind::Unavailable,
            format!("the connection is outdated: {message}"),
            None,
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

/// The year of the time that MySQL's message quotes: `Incorrect datetime value: '2027-03-28 02:30:30'`.
fn year_in(message: &str) -> Option<u32> {
    let (_, time) = message.split_once('\'')?;
    time.get(..4)?.parse().ok()
}

/// Advice on how to find out what is wrong with the table.
fn compare(names: &Names) -> String {
    format!(
        "`check_schema()` lists all differences from: {}",
        one_line(&names.ddl())
    )
}
