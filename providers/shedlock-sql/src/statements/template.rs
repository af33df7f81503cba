//! From a file with places for names and values to a statement.

use shedlock_runtime::Mark;

use super::{AdminStatements, LockClock, Param, Statement};
use crate::dialect::Dialect;
use crate::names::Names;

const PARAMS: [(&str, Param); 6] = [
    ("name", Param::Name),
    ("prefix", Param::Name),
    ("owner", Param::Owner),
    ("lease", Param::Lease),
    ("now", Param::Now),
    ("until", Param::Until),
];

/// Whether somebody's time on the row that an acquisition came upon was not over, in PostgreSQL.
const POSTGRES_LIVES: &str = "l.{lock_until} > EXCLUDED.{locked_at}";
/// Whether the row is ours to take, in MySQL.
const MYSQL_FREE: &str = "({same} AND ({lock_until} <= {now} OR {locked_by} <=> :owner))";
/// Whether it is the row of this name, byte by byte: the column's collation may ignore case, accents and trailing blanks.
const MYSQL_SAME: &str =
    "CAST(CONVERT({name} USING utf8mb4) AS BINARY) = CAST(CONVERT(:name USING utf8mb4) AS BINARY)";
/// Microseconds since 1970. A server that has forgotten the date says as much as says that a lock was granted, and no less.
const MYSQL_CLOCK: &str = "GREATEST(TIMESTAMPDIFF(MICROSECOND, TIMESTAMP('1970-01-01 00:00:00'), UTC_TIMESTAMP(6)), 1000000000000000)";

/// Builds the statement of a file for these names.
pub(super) fn build(file: &str, names: &Names, clock: LockClock, fencing: bool) -> Statement {
    let dialect = names.dialect();
    let template = strip(file, fencing)
        .replace("{free}", MYSQL_FREE)
        .replace("{same}", MYSQL_SAME)
        .replace("{clock}", MYSQL_CLOCK)
        .replace("{lives}", POSTGRES_LIVES)
        .replace("{is_pause}", &is_pause(dialect))
        .replace("{until}", until(dialect))
        .replace("{batch}", &AdminStatements::PRUNE_BATCH.to_string())
        .replace("{now}", now(dialect, clock));
    // The names are put in last: one of them may look like a value's place.
    let (pieces, rest) = split(&template);
    let fill_in = |(text, param): (&str, Param)| (names.fill_in(text), param);
    let pieces: Vec<_> = pieces.into_iter().map(fill_in).collect();
    let rest = names.fill_in(rest);
    let (text, params) = number(dialect, &pieces, &rest);
    Statement {
        text: text.into(),
        params,
        pieces,
        rest,
    }
}

/// What follows a column of owners to ask whether an operator's pause is in it: with regard to case, as a node may be
/// called `Paused: x`.
fn is_pause(dialect: Dialect) -> String {
    let prefix = Mark::PAUSED_PREFIX;
    match dialect {
        Dialect::Postgres => format!("LIKE '{prefix}%'"),
        Dialect::MySql => format!("LIKE CAST('{prefix}%' AS BINARY)"),
        Dialect::Sqlite => format!("GLOB '{prefix}*'"),
    }
}

/// The instant that an operator gave, of the type that `lock_until` has.
const fn until(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => {
            "(TIMESTAMP 'epoch' + CAST(:until AS bigint) * INTERVAL '1 microsecond')"
        }
        Dialect::MySql => {
            "TIMESTAMPADD(MICROSECOND, :until, TIMESTAMP('1970-01-01 00:00:00.000000'))"
        }
        Dialect::Sqlite => "(:until / 1000)",
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
fn strip(file: &str, fencing: bool) -> String {
    let other = if fencing { "plain" } else { "fencing" };
    let lines = file.lines().filter_map(|line| {
        let (code, comment) = line.split_once("--").unwrap_or((line, ""));
        let code = code.trim();
        (comment.trim() != other && !code.is_empty()).then_some(code)
    });
    lines.collect::<Vec<_>>().join(" ")
}

/// Cuts the template at its places for values.
fn split(template: &str) -> (Vec<(&str, Param)>, &str) {
    let mut pieces = Vec::new();
    let (mut from, mut search) = (0, 0);
    while let Some(colon) = template[search..].find(':').map(|at| search + at) {
        let after = &template[colon + 1..];
        let word = after.bytes().take_while(u8::is_ascii_lowercase).count();
        search = colon + 1 + word;
        let known = PARAMS.iter().find(|(known, _)| *known == &after[..word]);
        if let Some(&(_, param)) = known {
            pieces.push((&template[from..colon], param));
            from = search;
        }
    }
    (pieces, &template[from..])
}

/// Writes the dialect's placeholders, and notes what to bind.
fn number(dialect: Dialect, pieces: &[(String, Param)], rest: &str) -> (String, Vec<Param>) {
    let mut text = String::new();
    let mut params: Vec<Param> = Vec::new();
    for (before, param) in pieces {
        text.push_str(before);
        if dialect == Dialect::MySql {
            // Its placeholders have no numbers, so a value used twice is bound twice.
            params.push(*param);
            text.push('?');
            continue;
        }
        let known = params.iter().position(|known| known == param);
        let at = known.unwrap_or_else(|| {
            params.push(*param);
            params.len() - 1
        });
        text.push(if dialect == Dialect::Postgres {
            '$'
        } else {
            '?'
        });
        text.push_str(&(at + 1).to_string());
    }
    text.push_str(rest);
    (text, params)
}

/// Writes `value` so that PostgreSQL reads it back, whatever `standard_conforming_strings` says.
pub(super) fn push_postgres_literal(text: &mut String, value: &str) {
    text.push_str("E'");
    for c in value.chars() {
        if c == '\'' || c == '\\' {
            text.push(c);
        }
        text.push(c);
    }
    text.push('\'');
}
