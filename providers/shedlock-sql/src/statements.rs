//! The statements as text, built once per provider from files with places for names and values.

use std::sync::Arc;
use std::time::Duration;

use crate::dialect::Dialect;
use crate::names::Names;

/// Whose clock decides when a lease ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LockClock {
    /// The database's: the nodes' clocks do not matter.
    #[default]
    Database,
    /// Each node's own, as ShedLock does by default: keep them in step.
    Client,
}

/// A value that a statement asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Param {
    /// The lock's name, text.
    Name,
    /// The owner as stored, text.
    Owner,
    /// `at_most` or `at_least` as [`lease_micros`], a 64-bit integer.
    Lease,
    /// The client's time in microseconds since 1970, a 64-bit integer; asked for with [`LockClock::Client`] only.
    Now,
}

const PARAMS: [(&str, Param); 4] = [
    ("name", Param::Name),
    ("owner", Param::Owner),
    ("lease", Param::Lease),
    ("now", Param::Now),
];

/// One statement: its text and the values to bind, in order.
#[derive(Debug, Clone)]
pub struct Statement {
    text: Arc<str>,
    params: Vec<Param>,
}

impl Statement {
    /// The text, with the dialect's own placeholders.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// What to bind, in order.
    #[must_use]
    pub fn params(&self) -> &[Param] {
        &self.params
    }
}

/// All that a provider runs on the table.
#[derive(Debug, Clone)]
pub struct Statements {
    /// Takes the lock, on a table with the fencing token's column.
    pub acquire: Statement,
    /// Takes the lock, on a table without.
    pub acquire_plain: Statement,
    /// Moves the end of a live lease.
    pub extend: Statement,
    /// Ends a lease, or leaves it until `at_least`.
    pub release: Statement,
    /// Says who holds the lock and for how long, where [`acquire`](Self::acquire) cannot say so itself.
    pub holder: Statement,
    /// Fails where the fencing token's column is missing; never gives a row.
    pub probe: Statement,
}

impl Statements {
    /// The statements on the table of these `names`.
    #[must_use]
    pub fn new(names: &Names, clock: LockClock) -> Self {
        macro_rules! files {
            ($dialect:literal) => {
                [
                    include_str!(concat!("../sql/", $dialect, "/acquire.sql")),
                    include_str!(concat!("../sql/", $dialect, "/extend.sql")),
                    include_str!(concat!("../sql/", $dialect, "/release.sql")),
                    include_str!(concat!("../sql/", $dialect, "/holder.sql")),
                ]
            };
        }
        let [acquire, extend, release, holder] = match names.dialect() {
            Dialect::Postgres => files!("postgres"),
            Dialect::MySql => files!("mysql"),
            Dialect::Sqlite => files!("sqlite"),
        };
        let build = |template, fencing| build(template, names, clock, fencing);
        Self {
            acquire: build(acquire, true),
            acquire_plain: build(acquire, false),
            extend: build(extend, true),
            release: build(release, true),
            holder: build(holder, true),
            probe: build("SELECT {fencing_token} FROM {table} WHERE 1 = 0", true),
        }
    }
}

/// `at_most` or `at_least` in the microseconds that statements ask for.
///
/// A millisecond is added: a column that cuts the end to milliseconds must not end a lease early. Zero stays zero, as
/// the lock is then free at once.
#[must_use]
pub fn lease_micros(duration: Duration) -> i64 {
    if duration.is_zero() {
        return 0;
    }
    let micros = duration.as_nanos().div_ceil(1_000) + 1_000;
    i64::try_from(micros).unwrap_or(i64::MAX)
}

/// Whether the row is ours to take.
const MYSQL_FREE: &str = "({same} AND ({lock_until} <= {now} OR {locked_by} <=> :owner))";
/// Whether it is the row of this name, byte by byte: the column's collation may ignore case, accents and trailing blanks.
const MYSQL_SAME: &str =
    "CAST(CONVERT({name} USING utf8mb4) AS BINARY) = CAST(CONVERT(:name USING utf8mb4) AS BINARY)";
/// Microseconds since 1970.
const MYSQL_CLOCK: &str =
    "TIMESTAMPDIFF(MICROSECOND, TIMESTAMP('1970-01-01 00:00:00'), UTC_TIMESTAMP(6))";

fn build(template: &str, names: &Names, clock: LockClock, fencing: bool) -> Statement {
    let dialect = names.dialect();
    let text = strip(template, fencing)
        .replace("{free}", MYSQL_FREE)
        .replace("{same}", MYSQL_SAME)
        .replace("{clock}", MYSQL_CLOCK)
        .replace("{now}", now(dialect, clock));
    // Before the names are put in: one of them may look like a parameter.
    let (text, params) = number(dialect, &text);
    Statement {
        text: names.fill_in(&text).into(),
        params,
    }
}

/// The current time in UTC, of the type that `lock_until` has.
fn now(dialect: Dialect, clock: LockClock) -> &'static str {
    match (dialect, clock) {
        // Not `now()`, which stands still while the statement waits for a row.
        (Dialect::Postgres, LockClock::Database) => "timezone('utc', clock_timestamp())",
        (Dialect::Postgres, LockClock::Client) => {
            "(TIMESTAMP 'epoch' + CAST(:now AS bigint) * INTERVAL '1 microsecond')"
        }
        (Dialect::MySql, LockClock::Database) => "UTC_TIMESTAMP(6)",
        // Not FROM_UNIXTIME, which ends in 2038 on some servers and converts to the session's zone.
        (Dialect::MySql, LockClock::Client) => {
            "TIMESTAMPADD(MICROSECOND, :now, TIMESTAMP('1970-01-01 00:00:00.000000'))"
        }
        // What xerial's JDBC driver writes for a timestamp.
        (Dialect::Sqlite, LockClock::Database) => {
            "CAST(ROUND(unixepoch('now', 'subsec') * 1000) AS INTEGER)"
        }
        (Dialect::Sqlite, LockClock::Client) => "(:now / 1000)",
    }
}

/// Leaves out comments, and the lines for the other kind of table.
fn strip(template: &str, fencing: bool) -> String {
    let other = if fencing { "plain" } else { "fencing" };
    let lines = template.lines().filter_map(|line| {
        let (code, comment) = line.split_once("--").unwrap_or((line, ""));
        let code = code.trim();
        (comment.trim() != other && !code.is_empty()).then_some(code)
    });
    lines.collect::<Vec<_>>().join(" ")
}

/// Writes the dialect's placeholders for `:name` and its like, and notes what to bind.
fn number(dialect: Dialect, text: &str) -> (String, Vec<Param>) {
    let mut numbered = String::with_capacity(text.len());
    let mut params: Vec<Param> = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(':') {
        numbered.push_str(before);
        let word = after.bytes().take_while(u8::is_ascii_lowercase).count();
        let (word, after_word) = after.split_at(word);
        rest = after_word;
        let Some(&(_, param)) = PARAMS.iter().find(|(known, _)| *known == word) else {
            numbered.push(':');
            numbered.push_str(word);
            continue;
        };
        if dialect == Dialect::MySql {
            // Its placeholders have no numbers, so a value used twice is bound twice.
            params.push(param);
            numbered.push('?');
            continue;
        }
        let at = params
            .iter()
            .position(|&known| known == param)
            .unwrap_or_else(|| {
                params.push(param);
                params.len() - 1
            });
        numbered.push(if dialect == Dialect::Postgres {
            '$'
        } else {
            '?'
        });
        numbered.push_str(&(at + 1).to_string());
    }
    numbered.push_str(rest);
    (numbered, params)
}

#[cfg(test)]
mod tests;
