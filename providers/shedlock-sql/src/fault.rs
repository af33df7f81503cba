//! What a server's error codes mean to a lock.

use crate::dialect::Dialect;

/// What an error reported by the database means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Somebody else was at the same row: asking again may help, and nothing was written.
    Contention,
    /// There is no such table.
    MissingTable,
    /// There is no such column.
    MissingColumn,
    /// Nothing keeps the names apart: no primary key and no unique index.
    MissingKey,
    /// The table is of another shape: a type, a column that must be filled.
    Shape,
    /// The user may not do this.
    Permission,
    /// The database takes no writes.
    ReadOnly,
    /// The database takes no connections, or no work, at present; nothing was done.
    Unavailable,
    /// The user, the password or the database's name is wrong.
    Login,
    /// The time is beyond what the column keeps.
    OutOfRange,
    /// The text is too long for its column.
    TooLong,
    /// Anything else.
    Other,
}

impl Fault {
    /// What `code` means: an `SQLSTATE` for PostgreSQL, an error number for the others. SQLite says "error" to most things,
    /// so its `message` is read too.
    #[must_use]
    pub fn of(dialect: Dialect, code: &str, message: &str) -> Self {
        match dialect {
            Dialect::Postgres => postgres(code),
            Dialect::MySql => code.parse().map_or(Self::Other, mysql),
            Dialect::Sqlite => code
                .parse()
                .map_or(Self::Other, |code| sqlite(code, message)),
        }
    }

    /// Whether the connection is of no use after this error.
    #[must_use]
    pub const fn ends_connection(self) -> bool {
        matches!(self, Self::Unavailable | Self::Login)
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn postgres(code: &str) -> Fault {
    match code {
        // Serialization failure, deadlock, lock not available; and two sessions creating one table.
        "40001" | "40P01" | "55P03" | "23505" | "42P07" | "42710" => Fault::Contention,
        "42P01" | "3F000" => Fault::MissingTable,
        "42703" => Fault::MissingColumn,
        "42P10" => Fault::MissingKey,
        // Datatype mismatch, undefined function, cannot coerce, not null, check, invalid text and datetime, number
        // out of range.
        "42804" | "42883" | "42846" | "23502" | "23514" | "22P02" | "22007" | "22003" => {
            Fault::Shape
        }
        "42501" => Fault::Permission,
        "25006" => Fault::ReadOnly,
        "22001" => Fault::TooLong,
        "22008" => Fault::OutOfRange,
        "3D000" => Fault::Login,
        _ if code.starts_with("28") => Fault::Login,
        // Insufficient resources, operator intervention (a cancelled statement too), connection exceptions.
        _ if ["53", "57", "08"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            Fault::Unavailable
        }
        _ => Fault::Other,
    }
}

/// <https://mariadb.com/kb/en/mariadb-error-code-reference/>; MySQL's numbers are the same.
fn mysql(code: u16) -> Fault {
    match code {
        // Deadlock, lock wait timeout, no wait, record changed since last read.
        1213 | 1205 | 3572 | 1020 => Fault::Contention,
        1146 | 1051 => Fault::MissingTable,
        1054 => Fault::MissingColumn,
        // Wrong value for the column, no default, NULL, out of range for a number, data truncated, cannot convert.
        1366 | 1364 | 1048 | 1264 | 1265 | 4078 | 4079 => Fault::Shape,
        // Database, table, column, execute, special access.
        1044 | 1142 | 1143 | 1370 | 1227 => Fault::Permission,
        // --read-only (also from MariaDB 11.8 on), a read-only transaction, a table that is read-only.
        1290 | 1792 | 1836 | 1036 => Fault::ReadOnly,
        1406 => Fault::TooLong,
        1292 | 1441 => Fault::OutOfRange,
        // Access denied to the user, unknown database, an unknown way to log in.
        1045 | 1049 | 1698 | 1251 => Fault::Login,
        // Too many connections, shutting down, killed, disk full, out of memory, interrupted.
        1040 | 1203 | 1226 | 1053 | 1927 | 1317 | 1021 | 1037 | 1038 | 1129 | 1077 | 1079 => {
            Fault::Unavailable
        }
        _ => Fault::Other,
    }
}

/// <https://www.sqlite.org/rescode.html>
fn sqlite(code: u32, message: &str) -> Fault {
    // The low byte is the kind, the rest the detail.
    match code & 0xff {
        5 | 6 => Fault::Contention,
        8 => Fault::ReadOnly,
        3 | 23 => Fault::Permission,
        // Input and output, full, cannot open, the file's locking protocol.
        10 | 13 | 14 | 15 => Fault::Unavailable,
        19 => Fault::Shape,
        1 if message.contains("no such table") || message.contains("unknown database") => {
            Fault::MissingTable
        }
        1 if message.contains("no such column") || message.contains("has no column named") => {
            Fault::MissingColumn
        }
        1 if message.contains("ON CONFLICT clause does not match") => Fault::MissingKey,
        _ => Fault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_per_dialect() {
        let of = |dialect, code| Fault::of(dialect, code, "");
        assert_eq!(of(Dialect::Postgres, "40001"), Fault::Contention);
        assert_eq!(of(Dialect::Postgres, "28P01"), Fault::Login);
        assert_eq!(of(Dialect::Postgres, "57P01"), Fault::Unavailable);
        assert_eq!(of(Dialect::Postgres, "XX000"), Fault::Other);
        assert_eq!(of(Dialect::MySql, "1213"), Fault::Contention);
        assert_eq!(of(Dialect::MySql, "40001"), Fault::Other);
        assert_eq!(of(Dialect::Sqlite, "517"), Fault::Contention);
        assert_eq!(of(Dialect::Sqlite, "1032"), Fault::ReadOnly);
        let missing = Fault::of(Dialect::Sqlite, "1", "no such table: shedlock");
        assert_eq!(missing, Fault::MissingTable);
    }
}
