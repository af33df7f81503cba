//! The dialects, and how each quotes a name.

use std::fmt;
use std::time::Duration;

/// The SQL dialect of a database.
///
/// # Examples
///
/// ```
/// use shedlock_sql::Dialect;
///
/// assert_eq!(Dialect::MySql.to_string(), "mysql");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    MySql,
    /// SQLite.
    Sqlite,
}

impl Dialect {
    /// The name of this dialect's provider, as error messages and log events show it.
    #[must_use]
    pub const fn provider_name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
            Self::Sqlite => "sqlite",
        }
    }

    /// How long a statement waits for a lock of another session before it fails as busy. A provider sets this limit in the sessions that
    /// it opens: PostgreSQL's `lock_timeout`, MySQL's `innodb_lock_wait_timeout` (in whole seconds), SQLite's busy timeout.
    #[must_use]
    pub const fn row_wait(self) -> Duration {
        match self {
            Self::Postgres => Duration::from_millis(500),
            Self::MySql => Duration::from_secs(1),
            Self::Sqlite => Duration::from_millis(250),
        }
    }

    /// Whether a statement that fails as busy should be retried for as long as the call has time. True for SQLite; the other servers
    /// already wait for the lock inside the statement.
    pub(crate) const fn is_busy_briefly(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// Whether the database itself rejects a table that would let two nodes hold one lock: a table without a key, or a column that stores
    /// a different time than the one written. Otherwise the provider inspects the table before it first takes a lock.
    pub(crate) const fn refuses_bad_tables(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// The maximum length in bytes of the name of a table or column; servers truncate or reject longer names.
    pub(crate) const fn max_identifier_bytes(self) -> usize {
        match self {
            Self::Postgres => 63,
            Self::MySql => 64,
            Self::Sqlite => 255,
        }
    }

    /// Quotes `name` as an identifier, so that the server takes it unchanged.
    pub(crate) fn quote(self, name: &str) -> String {
        // SQLite reads `"x"` as a string if no column is called x; `x` in backticks is always a name.
        let quote = match self {
            Self::Postgres => '"',
            Self::MySql | Self::Sqlite => '`',
        };
        let mut quoted = String::with_capacity(name.len() + 2);
        quoted.push(quote);
        for c in name.chars() {
            if c == quote {
                quoted.push(quote);
            }
            quoted.push(c);
        }
        quoted.push(quote);
        quoted
    }

    /// Quotes `text` as a literal that the server reads back unchanged, whatever the session's settings for backslashes, quotes
    /// and character sets.
    pub(crate) fn literal(self, text: &str) -> String {
        let doubled = |also: char| {
            let mut doubled = String::with_capacity(text.len() + 2);
            for c in text.chars() {
                if c == '\'' || c == also {
                    doubled.push(c);
                }
                doubled.push(c);
            }
            doubled
        };
        match self {
            // In an E'..' a backslash is always special; in a '..' that depends on the session.
            Self::Postgres => format!("E'{}'", doubled('\\')),
            Self::MySql => {
                let mut hex = String::from("_utf8mb4 X'");
                for byte in text.bytes() {
                    let digit = |four: u8| char::from_digit(u32::from(four), 16).unwrap_or('0');
                    hex.push(digit(byte >> 4));
                    hex.push(digit(byte & 0xf));
                }
                hex.push('\'');
                hex
            }
            Self::Sqlite => format!("'{}'", doubled('\'')),
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.provider_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_ends_where_it_ends() {
        let nasty = r"a'b\'; DROP TABLE x --";
        assert_eq!(
            Dialect::Postgres.literal(nasty),
            r"E'a''b\\''; DROP TABLE x --'"
        );
        assert_eq!(
            Dialect::Sqlite.literal(nasty),
            r"'a''b\''; DROP TABLE x --'"
        );
        assert_eq!(Dialect::MySql.literal("a'\\é"), "_utf8mb4 X'61275cc3a9'");
    }
}
