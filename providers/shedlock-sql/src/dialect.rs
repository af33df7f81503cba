//! The dialects, and how each quotes a name.

use std::fmt;
use std::time::Duration;

/// Whose SQL.
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
    /// The provider's name in messages.
    #[must_use]
    pub const fn provider_name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
            Self::Sqlite => "sqlite",
        }
    }

    /// How long a statement waits for others before it says that they are busy. Sessions that a provider makes are to be set so:
    /// PostgreSQL's `lock_timeout`, MySQL's `innodb_lock_wait_timeout`, which counts whole seconds, SQLite's busy timeout.
    #[must_use]
    pub const fn row_wait(self) -> Duration {
        match self {
            Self::Postgres => Duration::from_millis(500),
            Self::MySql => Duration::from_secs(1),
            Self::Sqlite => Duration::from_millis(250),
        }
    }

    /// Whether "busy" is over soon or never, so that asking again is right for as long as there is time. Elsewhere the server waits
    /// for others by itself.
    pub(crate) const fn is_busy_briefly(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// Whether the database itself refuses what would let two nodes hold one lock: a table without a key, a column that keeps
    /// another time than it was given. Otherwise the table is looked at before a provider first takes a lock.
    pub(crate) const fn refuses_bad_tables(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// How many bytes a name of a table or column may have; servers cut longer ones or refuse them.
    pub(crate) const fn max_identifier_bytes(self) -> usize {
        match self {
            Self::Postgres => 63,
            Self::MySql => 64,
            Self::Sqlite => 255,
        }
    }

    /// `name` so that the server takes it as it is.
    pub(crate) fn quote(self, name: &str) -> String {
        // SQLite takes `"x"` for a string where no column is called x; `x` in backticks is always a name.
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

    /// `text` as a literal that the server reads back as it is, whatever its session has been told of backslashes, quotes
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
