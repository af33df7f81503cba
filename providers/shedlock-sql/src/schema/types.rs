//! The type that each column should have, and the problems of other types.

use std::time::Duration;

use crate::dialect::Dialect;

/// The purpose of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Time,
    Owner,
    Token,
    /// The slot, instant or step whose run began last.
    Position,
    /// Whether that run succeeded.
    PositionDone,
    /// How many runs began for it.
    PositionTries,
}

/// The result of checking a column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Fits,
    /// Locks work with the type, with this limitation.
    Limits(&'static str),
    /// Locks do not work with the type, for this reason.
    Breaks(&'static str),
}

use Verdict::{Breaks, Fits, Limits};

const CUTS_NAMES: &str = "names can have 64 characters";
const CUTS_OWNERS: &str = "an owner is the node's name, up to 200 characters, and 45 more";
const WHOLE_SECONDS: &str = "it keeps whole seconds or tenths, so a lock stays taken for up to a second longer than asked for";
const NOT_TIME: &str = "it cannot keep the end of a lease";
const NOT_TEXT: &str = "it cannot keep text";
const ENDS_2038: &str = "it ends on 2038-01-19";
const PADS: &str = "it pads with blanks, so names that differ in trailing blanks only are one lock";
const MIXES: &str = "it ignores case, so names that differ in case only are one lock";
const NOT_NUMBER: &str = "it cannot keep a 64-bit number";
const NOT_BOOLEAN: &str = "it cannot keep a boolean";
const NOT_COUNT: &str = "it cannot keep a 32-bit number";

impl Kind {
    /// The type that `ensure_schema` gives to the column.
    pub(super) const fn wanted(self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::Name, Dialect::MySql) => {
                "VARCHAR(64) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ \
                 /*M!100202 COLLATE utf8mb4_nopad_bin */ NOT NULL"
            }
            (Self::Name, _) => "VARCHAR(64) NOT NULL",
            (Self::Owner, _) => "VARCHAR(255) NOT NULL",
            (Self::Time, Dialect::Postgres) => "TIMESTAMP NOT NULL",
            (Self::Time, Dialect::MySql) => "DATETIME(6) NOT NULL",
            (Self::Time, Dialect::Sqlite) => "INTEGER NOT NULL",
            (Self::Token | Self::Position, Dialect::Sqlite) | (Self::PositionTries, _) => {
                "INTEGER NOT NULL DEFAULT 0"
            }
            (Self::Token | Self::Position, _) => "BIGINT NOT NULL DEFAULT 0",
            (Self::PositionDone, _) => "BOOLEAN NOT NULL DEFAULT TRUE",
        }
    }

    /// The `USING` clause for PostgreSQL to convert values of type `found`, if there is no implicit conversion to the wanted type.
    pub(super) fn using(self, dialect: Dialect, column: &str, found: &str) -> String {
        let (kind, knows) = match self {
            Self::Time => (
                "TIMESTAMP",
                found.starts_with("timestamp") || found == "date",
            ),
            Self::Token | Self::Position => (
                "BIGINT",
                ["smallint", "integer", "real", "double"]
                    .iter()
                    .any(|known| found.starts_with(known)),
            ),
            Self::Name | Self::Owner | Self::PositionDone | Self::PositionTries => {
                return String::new();
            }
        };
        if knows || dialect != Dialect::Postgres {
            return String::new();
        }
        format!(
            " USING CAST(CAST({} AS text) AS {kind})",
            dialect.quote(column)
        )
    }

    /// Checks the type that the server reports, in lower case.
    pub(super) fn judge(self, dialect: Dialect, found: &str) -> Verdict {
        match (self, dialect) {
            // A SQLite column of any type stores text and numbers of any length.
            (
                Self::Name
                | Self::Owner
                | Self::Token
                | Self::Position
                | Self::PositionDone
                | Self::PositionTries,
                Dialect::Sqlite,
            ) => Fits,
            (Self::Name, _) => text(found, 64, CUTS_NAMES),
            (Self::Owner, _) => text(found, 245, CUTS_OWNERS),
            (Self::Time, Dialect::Postgres) => postgres_time(found),
            (Self::Time, Dialect::MySql) => mysql_time(found),
            (Self::Time, Dialect::Sqlite) => sqlite_time(found),
            (Self::Token | Self::Position, _) => one_of(found, &["bigint", "numeric"], NOT_NUMBER),
            (Self::PositionDone, _) => one_of(found, &["bool", "tinyint", "bit(1)"], NOT_BOOLEAN),
            (Self::PositionTries, _) => one_of(found, &["int", "bigint", "numeric"], NOT_COUNT),
        }
    }
}

/// Fits if the type begins with one of `known`.
fn one_of(found: &str, known: &[&str], breaks: &'static str) -> Verdict {
    if known.iter().any(|known| found.starts_with(known)) {
        Fits
    } else {
        Breaks(breaks)
    }
}

fn text(found: &str, chars: u32, short: &'static str) -> Verdict {
    if found.starts_with("citext") {
        return Limits(MIXES);
    }
    if found.starts_with("char(") || found.starts_with("character(") || found == "char" {
        return Limits(PADS);
    }
    let is_text = [
        "character varying",
        "varchar",
        "text",
        "longtext",
        "mediumtext",
        "tinytext",
        "varbinary",
    ]
    .iter()
    .any(|known| found.starts_with(known));
    match number_in(found) {
        _ if !is_text => Breaks(NOT_TEXT),
        Some(found) if found < chars => Limits(short),
        _ => Fits,
    }
}

fn postgres_time(found: &str) -> Verdict {
    if !found.starts_with("timestamp") {
        return Breaks(NOT_TIME);
    }
    match number_in(found) {
        Some(0..=2) => Limits(WHOLE_SECONDS),
        _ => Fits,
    }
}

fn mysql_time(found: &str) -> Verdict {
    let is_timestamp = found.starts_with("timestamp");
    if !is_timestamp && !found.starts_with("datetime") {
        return Breaks(NOT_TIME);
    }
    match number_in(found) {
        None | Some(0..=2) => Limits(WHOLE_SECONDS),
        _ if is_timestamp => Limits(ENDS_2038),
        _ => Fits,
    }
}

/// <https://www.sqlite.org/datatype3.html#determination_of_column_affinity>
fn sqlite_time(found: &str) -> Verdict {
    let has = |part| found.contains(part);
    if has("int") {
        return Fits;
    }
    if ["char", "clob", "text", "real", "floa", "doub"]
        .into_iter()
        .any(has)
    {
        return Breaks(NOT_TIME);
    }
    // A column of any other type stores an integer unchanged.
    Fits
}

/// By how much a column of times may shorten a lease, beyond the millisecond that is added to each lease.
pub(super) fn grain(dialect: Dialect, found: &str) -> Duration {
    let digits = match (dialect, number_in(found)) {
        (Dialect::MySql, None) => 0,
        (Dialect::Postgres | Dialect::MySql, Some(digits)) => digits,
        _ => return Duration::ZERO,
    };
    match digits {
        0..=2 => Duration::from_secs(1) / 10_u32.pow(digits),
        _ => Duration::ZERO,
    }
}

/// The first number in a type, as in `varchar(64)`.
fn number_in(found: &str) -> Option<u32> {
    let (_, after) = found.split_once('(')?;
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    after[..digits].parse().ok()
}

/// Whether a collation of MySQL treats different names as equal.
pub(super) fn mixes_names(collation: &str) -> bool {
    // A plain `_bin` collation ignores trailing blanks. One without padding has NOPAD in its name, or is of MySQL's 0900 family.
    !collation.is_empty()
        && !collation.contains("nopad_bin")
        && collation != "utf8mb4_0900_bin"
        && collation != "binary"
}
