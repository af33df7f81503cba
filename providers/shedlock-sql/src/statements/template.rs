//! From a file with places for names and values to a statement.

use shedlock_runtime::OperatorMark;

use super::{AdminStatements, LockClock, Param, Session, Statement};
use crate::dialect::Dialect;
use crate::names::Names;

const PARAMS: [(&str, Param); 7] = [
    ("name", Param::Name),
    ("prefix", Param::Name),
    ("first", Param::First),
    ("owner", Param::Owner),
    ("lease", Param::Lease),
    ("now", Param::Now),
    ("until", Param::Until),
];

/// Whether an acquisition writes the row that it came upon as it was, in PostgreSQL: sent for the first time, and sent again.
const POSTGRES_KEEPS: [&str; 2] = [
    "(l.{lock_until} <= EXCLUDED.{locked_at}) IS NOT TRUE",
    "((l.{lock_until} <= EXCLUDED.{locked_at}) IS NOT TRUE OR {l.ours})",
];
/// Whether the row is ours to take, in MySQL: not if a later write than the acquisition bears our owner.
/// The number behind the owner begins with a hexadecimal digit, so `0` and `g` enclose it in every collation.
const MYSQL_FREE: &str = "({same} AND {lock_until} <= {now} AND ({locked_by} BETWEEN CONCAT(:owner, '0') AND CONCAT(:owner, 'g')) IS NOT TRUE)";
/// Whether the row is ours already and its lease lives, in MySQL: sent for the first time, and sent again.
const MYSQL_MINE: [&str; 2] = ["FALSE", "({same} AND {lock_until} > {now} AND {ours})"];
/// Whether it is the row of this name, byte by byte: the column's collation may ignore case, accents and trailing blanks.
const MYSQL_SAME: &str =
    "CAST(CONVERT({name} USING utf8mb4) AS BINARY) = CAST(CONVERT(:name USING utf8mb4) AS BINARY)";
/// Microseconds since 1970. A server that has forgotten the date says as much as says that a lock was granted, and no less.
const MYSQL_CLOCK: &str = "GREATEST(TIMESTAMPDIFF(MICROSECOND, TIMESTAMP('1970-01-01 00:00:00'), UTC_TIMESTAMP(6)), 1000000000000000)";

/// What the statements of one provider have in common.
#[derive(Clone, Copy)]
pub(super) struct Builder<'a> {
    pub(super) names: &'a Names,
    pub(super) clock: LockClock,
    pub(super) session: Session,
}

impl Builder<'_> {
    /// Builds the statement of a file, for a table with a column for fencing tokens or without.
    pub(super) fn build(self, file: &str, fencing: bool) -> Statement {
        build(file, self, fencing, true)
    }

    /// Builds an acquisition: `again` if the same request was sent before.
    pub(super) fn build_acquisition(self, file: &str, fencing: bool, again: bool) -> Statement {
        build(file, self, fencing, again)
    }
}

fn build(file: &str, builder: Builder<'_>, fencing: bool, again: bool) -> Statement {
    let Builder {
        names,
        clock,
        session,
    } = builder;
    let dialect = names.dialect();
    let mut template = strip(file, fencing, again)
        .replace("{free}", MYSQL_FREE)
        .replace("{mine}", MYSQL_MINE[usize::from(again)])
        .replace("{same}", MYSQL_SAME)
        .replace("{clock}", MYSQL_CLOCK)
        .replace("{keeps}", POSTGRES_KEEPS[usize::from(again)]);
    for row in ["", "h.", "l."] {
        let by = bytewise(dialect, &format!("{row}{{locked_by}}"));
        // An acquisition knows its own name and what later writes add to it; any other request the names before its own.
        let ours = if file.contains("{again}") {
            format!("{by} BETWEEN :first AND :owner")
        } else {
            begins_with_owner(dialect, &by)
        };
        template = template
            .replace(&format!("{{{row}ours}}"), &ours)
            .replace(&format!("{{{row}again}}"), &format!("{by} = :owner"))
            .replace(&format!("{{{row}paused}}"), &paused(dialect, &by))
            .replace(&format!("{{{row}by}}"), &by);
    }
    let template = template
        .replace("{alone}", alone(dialect, session))
        .replace("{briefly}", briefly(dialect, session))
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

/// A column of owners so that it is compared byte by byte, whatever its type, character set and collation.
fn bytewise(dialect: Dialect, column: &str) -> String {
    match dialect {
        Dialect::Postgres => format!("CAST({column} AS text) COLLATE \"C\""),
        Dialect::MySql => format!("CONVERT({column} USING utf8mb4) COLLATE utf8mb4_bin"),
        Dialect::Sqlite => format!("{column} COLLATE BINARY"),
    }
}

/// Whether what is in a column of owners begins with the owner that this acquisition stores: with or without a number behind it.
fn begins_with_owner(dialect: Dialect, by: &str) -> String {
    match dialect {
        Dialect::Postgres => format!("starts_with({by}, :owner)"),
        Dialect::MySql => format!("LEFT({by}, CHAR_LENGTH(:owner)) = :owner"),
        Dialect::Sqlite => format!("substr({by}, 1, length(:owner)) = :owner"),
    }
}

/// Whether an operator's pause is in a column of owners: with regard to case, as a node may be called `Paused: x`.
fn paused(dialect: Dialect, by: &str) -> String {
    let prefix = OperatorMark::PAUSED_PREFIX;
    match dialect {
        Dialect::Postgres | Dialect::MySql => format!("{by} LIKE '{prefix}%'"),
        Dialect::Sqlite => format!("{by} GLOB '{prefix}*'"),
    }
}

/// Whether the statement is a transaction by itself. In somebody else's transaction it is an error, before anything is read or
/// written: what is done there is undone by a rollback of theirs, and nobody else sees it.
const fn alone(dialect: Dialect, session: Session) -> &'static str {
    match (dialect, session) {
        // In a message by itself, a statement begins when its transaction does; a prepared one's portal is opened then.
        (Dialect::Postgres, Session::Shared) => {
            "(CASE WHEN now() = statement_timestamp() \
             OR now() = (SELECT p.creation_time FROM pg_catalog.pg_cursor() AS p WHERE p.name = '') \
             THEN TRUE ELSE current_setting('shedlock.inside_a_transaction_of_others') IS NULL END)"
        }
        // An overflow, as nothing else fails in every SQL mode. MySQL cannot say whether there is a transaction.
        (Dialect::MySql, Session::Shared) => {
            "(9223372036854775807 + IF(@@autocommit = 1 /*M!100202 AND @@in_transaction = 0 */, 0, 1)) > 0"
        }
        _ => "TRUE",
    }
}

/// What keeps an acquisition in the session of others from waiting for longer than its caller does. The sessions of our own are
/// set up so.
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

/// Leaves out comments, and the lines for the other kind of table and the other kind of request.
fn strip(file: &str, fencing: bool, again: bool) -> String {
    let others = [
        if fencing { "plain" } else { "fencing" },
        if again { "first" } else { "repeated" },
    ];
    let lines = file.lines().filter_map(|line| {
        let (code, comment) = line.split_once("--").unwrap_or((line, ""));
        let code = code.trim();
        (!others.contains(&comment.trim()) && !code.is_empty()).then_some(code)
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
