//! The meaning of a server's error codes for a lock, and what helps after each.

use crate::dialect::Dialect;

/// A PostgreSQL setting that does not exist. A statement that runs inside a transaction of other code reads this setting, so that it
/// fails with an error that has no other cause.
pub(crate) const INSIDE_A_TRANSACTION: &str = "shedlock.inside_a_transaction_of_others";

/// The same for a statement that runs in another time zone than the one in which the table's times are read.
pub(crate) const IN_ANOTHER_ZONE: &str = "shedlock.in_another_time_zone";

/// The number that overflows in MySQL in a statement that runs in another time zone. No other statement has this number.
pub(crate) const ZONE_OVERFLOW: &str = "9223372036854775806";

/// The meaning of an error that the database reported. [`cure`](Self::cure) returns what helps after it.
///
/// # Examples
///
/// ```
/// use shedlock_sql::{Cure, Dialect, Fault};
///
/// let deadlock = Fault::from_code(Dialect::Postgres, "40P01", "deadlock detected");
/// assert_eq!((deadlock, deadlock.cure()), (Fault::Contention, Cure::AskAgain));
///
/// // A connection to the former primary, after a failover.
/// let former = Fault::from_code(Dialect::MySql, "1290", "running with the --read-only option");
/// assert_eq!((former, former.cure()), (Fault::ReadOnly, Cure::NewConnection));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Another session had locked the row, the table or the file, or the statement was interrupted: a deadlock, a lock wait that timed
    /// out, a serialization failure, a cancelled statement. Nothing was written.
    Contention,
    /// There is no such table.
    MissingTable,
    /// There is no such column.
    MissingColumn,
    /// The table has neither a primary key nor a unique index on the lock's name.
    MissingKey,
    /// The table's definition does not fit: a column of a wrong type, or a further column without a default.
    Shape,
    /// The database's user lacks a privilege for the statement.
    Permission,
    /// A row-level security policy forbids the row.
    Policy,
    /// The database accepts no writes on this connection. After a failover, the server may be a former primary. In SQLite, the process
    /// may not write the file.
    ReadOnly,
    /// The database accepts no connections or statements at present, because it is starting, its disk is full, or it has too many
    /// connections. The statement was not executed.
    Unavailable,
    /// The user, the password or the database's name is wrong.
    Login,
    /// The session of MySQL or MariaDB has no current database, so an unqualified table name cannot be resolved; or SQLite's file is no
    /// database.
    NoDatabase,
    /// The time is outside the column's range, or is skipped in the session's time zone when daylight saving time begins.
    OutOfRange,
    /// The text is too long for its column.
    TooLong,
    /// The server has ended the session and reports why: a shutdown, a killed session, a session that was idle for too long, or a node
    /// that has left its Galera cluster.
    Goodbye,
    /// The connection's cached state is stale: a statement was prepared before the table was changed, or the SQLite file was moved or
    /// replaced.
    Outdated,
    /// The connection is inside a transaction of other code, or its session has autocommit off. Statements for a
    /// [`Session::Shared`](crate::Session::Shared) detect that before they read or write.
    ForeignTransaction,
    /// The session is in another time zone than the one in which the table's times are read. Only statements on a table with such
    /// times detect that, before they read or write.
    OtherZone,
    /// The server logs statements for its replicas, not rows. Locks cannot be replicated so.
    StatementLog,
    /// A statement prepared by name is missing, or its name is already in use: a pooler sends each message on any of its connections to
    /// the server.
    Pooler,
    /// The database has the row already, which another copy of the same request has written. Only the statements for MySQL report it.
    Duplicate,
    /// Any other error.
    Other,
}

/// What helps after an error: the answer of [`Fault::cure`].
///
/// # Examples
///
/// ```
/// use shedlock_sql::{Cure, Fault};
///
/// assert_eq!(Fault::Contention.cure(), Cure::AskAgain);
/// assert_eq!(Fault::MissingTable.cure(), Cure::None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cure {
    /// A retry does not help: the call fails with the error. The connection can still be used.
    None,
    /// A retry after a pause helps, on the same connection too. If the table stays busy until the call's time is used up, nothing is known
    /// of the lock's holder yet: [`Statements::holder`](crate::Statements::holder) reads it.
    AskAgain,
    /// A retry on a new connection helps, after this one is closed. If the new connection fails with the error too, so does the call.
    NewConnection,
}

impl Fault {
    /// Classifies an error of the database. The `code` is an `SQLSTATE` for PostgreSQL, and an error number for the others. The `message`
    /// decides between the meanings of an ambiguous code.
    #[must_use]
    pub fn from_code(dialect: Dialect, code: &str, message: &str) -> Self {
        match dialect {
            Dialect::Postgres => postgres(code, message),
            Dialect::MySql => code
                .parse()
                .map_or(Self::Other, |code| mysql(code, message)),
            Dialect::Sqlite => code
                .parse()
                .map_or(Self::Other, |code| sqlite(code, message)),
        }
    }

    /// Whether PostgreSQL, or a pooler in front of it, may accept a connection without the settings with which the connection was
    /// refused. The `code` is the `SQLSTATE` of the refusal.
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_sql::Fault;
    ///
    /// // A pooler says "unsupported startup parameter".
    /// assert!(Fault::may_be_a_setting("08P01"));
    /// assert!(!Fault::may_be_a_setting("28P01"), "a wrong password");
    /// ```
    #[must_use]
    pub fn may_be_a_setting(code: &str) -> bool {
        // Protocol violation, feature not supported, a parameter that is unknown, invalid or not permitted.
        ["08P01", "0A000", "42704", "22023", "42501"].contains(&code)
    }

    /// Returns what helps after this error.
    #[must_use]
    pub const fn cure(self) -> Cure {
        match self {
            Self::Contention => Cure::AskAgain,
            // A server that says "read-only" may have been the primary when the connection was made.
            Self::ReadOnly
            | Self::Unavailable
            | Self::Login
            | Self::NoDatabase
            | Self::Goodbye
            | Self::Outdated
            | Self::ForeignTransaction
            | Self::OtherZone
            | Self::StatementLog
            | Self::Pooler => Cure::NewConnection,
            Self::MissingTable
            | Self::MissingColumn
            | Self::MissingKey
            | Self::Shape
            | Self::Permission
            | Self::Policy
            | Self::OutOfRange
            | Self::TooLong
            | Self::Duplicate
            | Self::Other => Cure::None,
        }
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn postgres(code: &str, message: &str) -> Fault {
    match code {
        // Serialization failure, deadlock, lock not available, cancelled; and two sessions creating one table.
        "40001" | "40P01" | "55P03" | "57014" | "23505" | "42P07" | "42710" => Fault::Contention,
        "42P01" | "3F000" => Fault::MissingTable,
        "42703" => Fault::MissingColumn,
        "42P10" => Fault::MissingKey,
        // Datatype mismatch, undefined function, cannot coerce, not null, foreign key, check, invalid text and datetime, number
        // out of range, a key that is deferrable.
        "42804" | "42883" | "42846" | "23502" | "23503" | "23514" | "22P02" | "22007" | "22003"
        | "55000" => Fault::Shape,
        "42501" if message.contains("row-level security") => Fault::Policy,
        "42501" => Fault::Permission,
        // Read-only transaction; in recovery and not for writing.
        "25006" => Fault::ReadOnly,
        "22001" => Fault::TooLong,
        "22008" => Fault::OutOfRange,
        "3D000" => Fault::Login,
        // The statement detected the transaction itself; or the transaction was aborted before.
        "42704" if message.contains(INSIDE_A_TRANSACTION) => Fault::ForeignTransaction,
        "42704" if message.contains(IN_ANOTHER_ZONE) => Fault::OtherZone,
        "25P02" | "25001" => Fault::ForeignTransaction,
        // Prepared statement: already exists, does not exist.
        "42P05" | "26000" => Fault::Pooler,
        "0A000" if message.contains("cached plan") => Fault::Outdated,
        // `cache lookup failed`: an object was dropped while the statement read it.
        "XX000" if message.contains("cache lookup") => Fault::Outdated,
        // Statement completion unknown; shutdown, crash, database dropped, session timeouts, idle in transaction; connection
        // exceptions.
        "40003" | "57P01" | "57P02" | "57P04" | "57P05" | "25P03" | "25P04" => Fault::Goodbye,
        _ if code.starts_with("08") => Fault::Goodbye,
        _ if code.starts_with("28") => Fault::Login,
        // Insufficient resources, operator intervention.
        _ if ["53", "57"].iter().any(|class| code.starts_with(class)) => Fault::Unavailable,
        _ => Fault::Other,
    }
}

/// <https://mariadb.com/kb/en/mariadb-error-code-reference/>; MySQL's numbers are the same unless the comment names one server.
fn mysql(code: u16, message: &str) -> Fault {
    match code {
        // Deadlock, lock wait timeout, no wait, record changed since last read, table definition changed; interrupted, too slow
        // for `max_statement_time` (MariaDB), for `max_execution_time` (MySQL); rolled back by group replication (MySQL).
        1213 | 1205 | 3572 | 1020 | 1412 | 1317 | 1969 | 3024 | 3101 => Fault::Contention,
        1146 | 1051 => Fault::MissingTable,
        1054 => Fault::MissingColumn,
        // Wrong value for the column, no default, NULL, out of range for a number, data truncated, cannot convert, foreign
        // keys, checks (MariaDB, MySQL), a view that is not for writing.
        1366 | 1364 | 1048 | 1264 | 1265 | 4078 | 4079 | 1216 | 1452 | 4025 | 3819 | 1288
        | 1471 => Fault::Shape,
        // Database, table, column, execute, special access.
        1044 | 1142 | 1143 | 1370 | 1227 => Fault::Permission,
        // --read-only (also from MariaDB 11.8 on), a read-only transaction, a server or a table that is read-only.
        1290 | 1792 | 1836 | 1036 => Fault::ReadOnly,
        1406 => Fault::TooLong,
        1062 => Fault::Duplicate,
        1292 | 1441 => Fault::OutOfRange,
        // Access denied to the user, unknown database, an unknown way to log in.
        1045 | 1049 | 1698 | 1251 => Fault::Login,
        1046 => Fault::NoDatabase,
        // The statement detected the zone, or that autocommit is off; or the session refused to begin.
        1690 if message.contains(ZONE_OVERFLOW) => Fault::OtherZone,
        1690 if message.contains("autocommit") => Fault::ForeignTransaction,
        1568 => Fault::ForeignTransaction,
        // Statements cannot be logged under READ COMMITTED.
        1665 => Fault::StatementLog,
        // Unknown prepared statement; prepared statement must be prepared again.
        1243 | 1615 => Fault::Outdated,
        // The node of a Galera cluster is not ready. Shutting down, killed, aborted, unreadable packets; the session was idle for
        // too long (MySQL) or its rights have changed (MySQL); errors of poolers that lost the server.
        1047 | 1053 | 1927 | 1152 | 1153 | 1154 | 1155 | 1156 | 1157 | 1158 | 1159 | 1160
        | 1161 | 1184 | 4031 | 3169 | 1079 | 1077 | 1094 | 2006 | 2013 => Fault::Goodbye,
        // Too many connections, disk or table full, out of memory, host blocked, offline mode (MySQL).
        3032 | 1114 | 1040 | 1203 | 1226 | 1021 | 1037 | 1038 | 1041 | 1129 => Fault::Unavailable,
        _ => Fault::Other,
    }
}

/// <https://www.sqlite.org/rescode.html>
fn sqlite(code: u32, message: &str) -> Fault {
    // The low byte is the kind, the rest the detail.
    match (code & 0xff, code) {
        // The schema was changed by another connection; an internal error; the file that the connection has open was moved or
        // replaced.
        (17 | 2, _) | (_, 1032) => Fault::Outdated,
        (5 | 6, _) => Fault::Contention,
        (8, _) => Fault::ReadOnly,
        (3 | 23, _) => Fault::Permission,
        // I/O error, corrupt, full, cannot open, locking protocol: a replaced file can cause each of them.
        (10 | 11 | 13 | 14 | 15, _) => Fault::Unavailable,
        (26, _) => Fault::NoDatabase,
        (19, _) => Fault::Shape,
        (1, _) if message.contains("no such table") || message.contains("unknown database") => {
            Fault::MissingTable
        }
        (1, _) if message.contains("no such column") || message.contains("has no column named") => {
            Fault::MissingColumn
        }
        (1, _) if message.contains("ON CONFLICT clause does not match") => Fault::MissingKey,
        _ => Fault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_per_dialect() {
        let of = |dialect, code| Fault::from_code(dialect, code, "");
        assert_eq!(of(Dialect::Postgres, "40001"), Fault::Contention);
        assert_eq!(of(Dialect::Postgres, "28P01"), Fault::Login);
        assert_eq!(of(Dialect::Postgres, "57P01"), Fault::Goodbye);
        assert_eq!(of(Dialect::Postgres, "XX000"), Fault::Other);
        assert_eq!(of(Dialect::MySql, "1213"), Fault::Contention);
        assert_eq!(of(Dialect::MySql, "4031"), Fault::Goodbye);
        assert_eq!(of(Dialect::MySql, "40001"), Fault::Other);
        assert_eq!(of(Dialect::Sqlite, "517"), Fault::Contention);
        assert_eq!(of(Dialect::Sqlite, "1032"), Fault::Outdated);
        assert_eq!(of(Dialect::Sqlite, "8"), Fault::ReadOnly);
        let missing = Fault::from_code(Dialect::Sqlite, "1", "no such table: shedlock");
        assert_eq!(missing, Fault::MissingTable);
    }

    #[test]
    fn codes_of_several_meanings_are_told_apart_by_their_message() {
        let of = |code, message| Fault::from_code(Dialect::Postgres, code, message);
        assert_eq!(
            of("0A000", "cached plan must not change result type"),
            Fault::Outdated
        );
        assert_eq!(of("0A000", "something else"), Fault::Other);
        let overflow = Fault::from_code(Dialect::MySql, "1690", "BIGINT value is out of range");
        assert_eq!(overflow, Fault::Other);
    }
}
