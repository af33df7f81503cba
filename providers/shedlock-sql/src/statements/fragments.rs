//! The SQL expressions that statements share, which a file of `sql/` includes as `{=name}`. Each expression is itself a template.

use shedlock_runtime::{OperatorMark, RunRecord};

use super::{AdminStatements, HistoryStatements, LockClock, Session};
use crate::answers::mysql as answer;
use crate::dialect::Dialect;
use crate::fault::{IN_ANOTHER_ZONE, INSIDE_A_TRANSACTION, ZONE_OVERFLOW};

/// The settings on which the expressions depend.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) dialect: Dialect,
    pub(super) clock: LockClock,
    pub(super) session: Session,
    /// The names, in lower case, of the time zone that the session must have; empty if no time in the table depends on it.
    pub(super) zones: &'a [String],
}

impl Setting<'_> {
    /// The expression of this name. The name `h.name` applies the expression to the row with the alias `h`.
    pub(super) fn fragment(self, name: &str) -> Option<String> {
        let (row, name) = match name.split_once('.') {
            Some((row, name)) => (format!("{row}."), name),
            None => (String::new(), name),
        };
        let dialect = self.dialect;
        let owner = bytewise(dialect, &format!("{row}{{locked_by}}"));
        Some(match name {
            "ours" => begins_with_owner(dialect, &owner),
            "ours_up_to_this" => format!("{owner} BETWEEN {{:first}} AND {{:owner}}"),
            "first_write" => format!("{owner} = {{:first}}"),
            "this_write" => format!("{owner} = {{:owner}}"),
            "paused" => paused(dialect, &owner),
            "unreleased" => unreleased(dialect, &row),
            "same" => same_name(&row),
            "usable" if self.zones.is_empty() => alone(dialect, self.session),
            "usable" => format!(
                "{} AND {}",
                alone(dialect, self.session),
                in_zone(dialect, self.zones)
            ),
            "in_zone" => in_zone(dialect, self.zones),
            "briefly" => briefly(dialect, self.session).to_owned(),
            "until" => instant(dialect, "until"),
            "began" => instant(dialect, "began"),
            "ended" => instant(dialect, "ended"),
            "now" => now(dialect, self.clock),
            "batch" => AdminStatements::PRUNE_BATCH.to_string(),
            "deleted_at_once" => HistoryStatements::DELETED_AT_ONCE.to_string(),
            "most_read" => RunRecord::MOST_READ.to_string(),
            "free" => MYSQL_FREE.to_owned(),
            "mine" => MYSQL_MINE.to_owned(),
            "clock" => MYSQL_CLOCK.to_owned(),
            "taken" => MYSQL_TAKEN.to_owned(),
            "keeps" => POSTGRES_KEEPS.to_owned(),
            "millis" => millis(dialect).to_owned(),
            "number" => number(dialect),
            "bound_number" => bound(dialect, "number"),
            "begins" => begins(dialect, &row),
            _ => name.strip_prefix("answer_").and_then(answered)?.to_string(),
        })
    }
}

/// Whether an acquisition rewrites the existing row unchanged, in PostgreSQL.
const POSTGRES_KEEPS: &str = "{?first}((l.{lock_until} <= EXCLUDED.{locked_at}) IS NOT TRUE OR {=l.unreleased}){/first}\
    {?repeated}((l.{lock_until} <= EXCLUDED.{locked_at}) IS NOT TRUE OR {=l.ours}{?careful} OR {=l.unreleased}{/careful}){/repeated}";
/// Whether the request may take the row, in MySQL: not if its position does not let the run begin, and not if a later write of the request's own owner is in it.
/// The number after the owner begins with a hexadecimal digit, so it sorts between `0` and `g` in every collation.
const MYSQL_FREE: &str = "({=same} AND {lock_until} <= {=now} \
    AND ({locked_by} BETWEEN CONCAT({:owner}, '0') AND CONCAT({:owner}, 'g')) IS NOT TRUE\
    {?position} AND ({=begins}){/position})";
/// Whether the row was already granted to this request and its lease is live, in MySQL.
const MYSQL_MINE: &str =
    "{?first}FALSE{/first}{?repeated}({=same} AND {lock_until} > {=now} AND {=ours}){/repeated}";
/// Whether an earlier assignment of the same statement took the row, in MySQL: the owner is assigned before the end.
const MYSQL_TAKEN: &str = "{?position}({=same} AND {lock_until} <= {=now} AND {=this_write}){/position}\
    {?no_position}{=free}{/no_position}";
/// Microseconds since 1970, but at least the number for "granted", even on a server whose clock was reset to 1970.
const MYSQL_CLOCK: &str = "GREATEST(\
    TIMESTAMPDIFF(MICROSECOND, TIMESTAMP('1970-01-01 00:00:00'), UTC_TIMESTAMP(6)), {=answer_granted})";

/// The number for an answer in `sql/mysql/ANSWERS.md`.
fn answered(name: &str) -> Option<u64> {
    Some(match name {
        "other_name" => answer::OTHER_NAME,
        "no_end" => answer::NO_END,
        "held" => answer::HELD,
        "too_late" => answer::TOO_LATE,
        "not_due" => answer::NOT_DUE,
        "unreleased" => answer::UNRELEASED,
        "paused" => answer::PAUSED,
        "granted" => answer::GRANTED,
        "pause_written" => answer::PAUSE_WRITTEN,
        _ => return None,
    })
}

/// Whether the row's name equals the requested one byte by byte, in MySQL, where a collation may ignore case, accents or trailing blanks.
fn same_name(row: &str) -> String {
    format!(
        "CAST(CONVERT({row}{{name}} USING utf8mb4) AS BINARY) = CAST(CONVERT({{:name}} USING utf8mb4) AS BINARY)"
    )
}

/// The column of owners, converted so that it is compared byte by byte, whatever its type, character set and collation.
fn bytewise(dialect: Dialect, column: &str) -> String {
    match dialect {
        Dialect::Postgres => format!("CAST({column} AS text) COLLATE \"C\""),
        Dialect::MySql => format!("CONVERT({column} USING utf8mb4) COLLATE utf8mb4_bin"),
        Dialect::Sqlite => format!("{column} COLLATE BINARY"),
    }
}

/// Whether a column of owners contains the owner that this acquisition stores, with or without the number of a later write.
fn begins_with_owner(dialect: Dialect, by: &str) -> String {
    match dialect {
        Dialect::Postgres => format!("starts_with({by}, {{:owner}})"),
        Dialect::MySql => format!("LEFT({by}, CHAR_LENGTH({{:owner}})) = {{:owner}}"),
        Dialect::Sqlite => format!("substr({by}, 1, length({{:owner}})) = {{:owner}}"),
    }
}

/// Whether the last write to a row was no release of ours: an acquisition, which stores an owner that ends in `#` and 32 digits, or an
/// extension, which puts an even number of twelve digits behind those. A release puts an odd one there. Who reads the row decides; a row of
/// a JVM node is none of these, and is taken as before.
fn unreleased(dialect: Dialect, row: &str) -> String {
    let by = match dialect {
        Dialect::Postgres => bytewise(dialect, &format!("{row}{{locked_by}}")),
        Dialect::MySql | Dialect::Sqlite => format!("{row}{{locked_by}}"),
    };
    // PostgreSQL prepares each function of a statement anew each time, so a pattern is cheaper there.
    let is_hash = |digits: usize| match dialect {
        Dialect::Postgres => format!("{by} LIKE '%#{}'", "_".repeat(digits)),
        Dialect::MySql => format!("left(right({by}, {}), 1) = '#'", digits + 1),
        Dialect::Sqlite => format!("substr({by}, -{}, 1) = '#'", digits + 1),
    };
    let last = match dialect {
        Dialect::Postgres | Dialect::MySql => format!("right({by}, 1)"),
        Dialect::Sqlite => format!("substr({by}, -1, 1)"),
    };
    let (first, later) = (is_hash(32), is_hash(44));
    format!("({first} OR {later} AND {last} IN ('0', '2', '4', '6', '8', 'a', 'c', 'e'))")
}

/// Whether a column of owners contains an operator's pause. The comparison respects case, as a node may be called `Paused: x`.
fn paused(dialect: Dialect, by: &str) -> String {
    let prefix = OperatorMark::PAUSED_PREFIX;
    match dialect {
        Dialect::Postgres | Dialect::MySql => format!("{by} LIKE '{prefix}%'"),
        Dialect::Sqlite => format!("{by} GLOB '{prefix}*'"),
    }
}

/// Whether a run may begin for the position that the request asks for, given the position in a row: the table in the documentation of
/// `PositionRule::next`. In the row `l`, which an upsert changes, the number is the inserted one: it is computed once in a statement.
fn begins(dialect: Dialect, row: &str) -> String {
    let number = match (row, dialect) {
        ("l.", Dialect::Postgres | Dialect::Sqlite) => "EXCLUDED.{position}",
        _ => "{=number}",
    };
    let position = format!("COALESCE({row}{{position}}, 0)");
    let is_done = format!("COALESCE({row}{{position_done}}, TRUE)");
    let tries = format!("COALESCE({row}{{position_tries}}, 0)");
    let attempts = bound(dialect, "attempts");
    let again = format!("{number} = {position} AND NOT {is_done} AND {tries} < {attempts}");
    format!(
        "{{?step}}({number} = {position} + 1 AND {is_done}){{/step}}{{?no_step}}{number} > {position}{{/no_step}} OR {again}"
    )
}

/// The number of the position that a request asks for. A slot is the multiple of its period that is nearest to the current time, as
/// `PositionRule::number` computes it; the bound number is then the period.
fn number(dialect: Dialect) -> String {
    let (number, millis) = (bound(dialect, "number"), millis(dialect));
    let div = if dialect == Dialect::MySql {
        "DIV"
    } else {
        "/"
    };
    format!(
        "{{?slot}}(({millis} + {number} {div} 2) {div} {number} * {number}){{/slot}}{{?no_slot}}{number}{{/no_slot}}"
    )
}

/// A bound 64-bit integer. PostgreSQL would take its type from the column that it is compared with.
fn bound(dialect: Dialect, param: &str) -> String {
    match dialect {
        Dialect::Postgres => format!("CAST({{:{param}}} AS bigint)"),
        Dialect::MySql | Dialect::Sqlite => format!("{{:{param}}}"),
    }
}

/// The current time in whole milliseconds since 1970.
const fn millis(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "CAST(floor(date_part('epoch', {=now}) * 1000) AS bigint)",
        Dialect::MySql => {
            "(TIMESTAMPDIFF(MICROSECOND, TIMESTAMP('1970-01-01 00:00:00'), {=now}) DIV 1000)"
        }
        Dialect::Sqlite => "{=now}",
    }
}

/// Whether the statement is a transaction by itself. Inside a transaction of other code it fails before it reads or writes, because its
/// write would be invisible to other sessions, and lost with a rollback.
fn alone(dialect: Dialect, session: Session) -> String {
    match (dialect, session) {
        // A statement that is sent alone starts at the time of its transaction, and so does the portal of a prepared statement.
        (Dialect::Postgres, Session::Shared) => format!(
            "(CASE WHEN now() = statement_timestamp() \
             OR now() = (SELECT p.creation_time FROM pg_catalog.pg_cursor() AS p WHERE p.name = '') \
             THEN TRUE ELSE current_setting('{INSIDE_A_TRANSACTION}') IS NULL END)"
        ),
        // An overflow, because it fails in every SQL mode. MySQL has no variable that shows whether there is a transaction. A replica of
        // MariaDB that runs the logged statement is inside a transaction, so the statement would stop replication.
        (Dialect::MySql, Session::Shared) => {
            "(9223372036854775807 + IF(@@autocommit = 1 /*M!100202 AND @@in_transaction = 0 \
             AND (@@log_bin = 0 OR @@binlog_format <> 'STATEMENT') */, 0, 1)) > 0"
                .to_owned()
        }
        _ => "TRUE".to_owned(),
    }
}

/// Whether the session is in the time zone of these names. In another zone the statement fails before it reads or writes, because its
/// times would be other instants for other sessions. MySQL's server must be in the zone, too: other sessions follow it.
fn in_zone(dialect: Dialect, zones: &[String]) -> String {
    if zones.is_empty() {
        return "TRUE".to_owned();
    }
    let names: Vec<_> = zones.iter().map(|zone| dialect.literal(zone)).collect();
    let names = names.join(", ");
    match dialect {
        Dialect::Postgres => format!(
            "(CASE WHEN lower(current_setting('TimeZone')) IN ({names}) THEN TRUE \
             ELSE current_setting('{IN_ANOTHER_ZONE}') IS NULL END)"
        ),
        Dialect::MySql => {
            let is_in = |scope| {
                format!(
                    "LOWER(IF(@@{scope}.time_zone = 'SYSTEM', @@system_time_zone, @@{scope}.time_zone)) IN ({names})"
                )
            };
            let (session, server) = (is_in("session"), is_in("global"));
            format!("({ZONE_OVERFLOW} + IF({session} AND {server}, 0, 2)) > 0")
        }
        Dialect::Sqlite => "TRUE".to_owned(),
    }
}

/// Limits how long an acquisition in a shared session waits for locks. The provider's own sessions have this limit in their
/// settings.
const fn briefly(dialect: Dialect, session: Session) -> &'static str {
    match (dialect, session) {
        (Dialect::Postgres, Session::Shared) => {
            "set_config('lock_timeout', '500', TRUE) IS NOT NULL"
        }
        (Dialect::Postgres, Session::Own) => "TRUE",
        (Dialect::MySql, Session::Shared) => {
            "/*M!100202 SET STATEMENT innodb_lock_wait_timeout = 1, lock_wait_timeout = 1 FOR */"
        }
        _ => "",
    }
}

/// A bound time in microseconds since 1970, in the type of `lock_until`.
fn instant(dialect: Dialect, param: &str) -> String {
    match dialect {
        Dialect::Postgres => {
            format!("(TIMESTAMP 'epoch' + CAST({{:{param}}} AS bigint) * INTERVAL '1 microsecond')")
        }
        // Not FROM_UNIXTIME, which is limited to 2038 on some servers and converts to the session's time zone.
        Dialect::MySql => format!(
            "TIMESTAMPADD(MICROSECOND, {{:{param}}}, TIMESTAMP('1970-01-01 00:00:00.000000'))"
        ),
        Dialect::Sqlite => format!("({{:{param}}} / 1000)"),
    }
}

/// The current time in UTC, in the type of `lock_until`.
fn now(dialect: Dialect, clock: LockClock) -> String {
    let by_database = match (dialect, clock) {
        (_, LockClock::Client) => return instant(dialect, "now"),
        // Not `now()`, which does not advance while the statement waits for a row lock.
        (Dialect::Postgres, LockClock::Database) => "timezone('utc', clock_timestamp())",
        (Dialect::MySql, LockClock::Database) => "UTC_TIMESTAMP(6)",
        // The format in which xerial's JDBC driver writes a timestamp.
        (Dialect::Sqlite, LockClock::Database) => {
            "CAST(ROUND(unixepoch('now', 'subsec') * 1000) AS INTEGER)"
        }
    };
    by_database.to_owned()
}
