//! Locks as a table, JSON and comma-separated values.

use std::time::SystemTime;

use serde::Serialize;
use shedlock_runtime::{LockInfo, format_timestamp, printable, short_duration};

use super::table::{self, Cell};
use super::times::{Zone, bar};
use crate::exit::Failure;

/// One lock, for programs. The names of the fields do not change.
#[derive(Debug, Serialize)]
struct Row<'a> {
    name: &'a str,
    state: &'static str,
    node: &'a str,
    since: Option<String>,
    until: Option<String>,
    remaining_ms: u64,
    fencing_token: Option<u64>,
    position: Option<u64>,
    reason: Option<&'a str>,
    problem: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn new(lock: &'a LockInfo) -> Self {
        Self {
            name: &lock.name,
            state: state(lock),
            node: &lock.node,
            since: lock.since.map(format_timestamp),
            until: lock.until.map(format_timestamp),
            remaining_ms: u64::try_from(lock.remaining.as_millis()).unwrap_or(u64::MAX),
            fencing_token: lock.fencing_token,
            position: lock.position.map(|position| position.number),
            reason: lock.reason.as_deref(),
            problem: lock.problem.as_deref(),
        }
    }
}

fn state(lock: &LockInfo) -> &'static str {
    match lock {
        lock if lock.paused => "paused",
        lock if lock.is_held() => "held",
        lock if lock.problem.is_some() => "unreadable",
        _ => "free",
    }
}

pub(super) fn json(locks: &[LockInfo]) -> Result<String, Failure> {
    table::json(&locks.iter().map(Row::new).collect::<Vec<_>>())
}

pub(super) fn json_object(lock: &LockInfo) -> Result<String, Failure> {
    table::json(&Row::new(lock))
}

pub(super) fn ndjson(locks: &[LockInfo]) -> Result<String, Failure> {
    table::ndjson(locks.iter().map(Row::new))
}

pub(super) fn csv(locks: &[LockInfo]) -> Result<String, Failure> {
    const COLUMNS: &[&str] = &[
        "name",
        "state",
        "node",
        "since",
        "until",
        "remaining_ms",
        "fencing_token",
        "position",
        "reason",
        "problem",
    ];
    table::csv(COLUMNS, locks.iter().map(Row::new))
}

/// A table for people: names escaped, times relative and absolute.
pub(super) fn table(locks: &[LockInfo], zone: &Zone, is_terminal: bool) -> String {
    const HEADER: &[&str] = &[
        "NAME", "STATE", "HOLDER", "SINCE", "LEFT", "UNTIL", "TOKEN", "NOTE",
    ];
    let now = SystemTime::now();
    let rows = locks.iter().map(|lock| {
        let is_held = lock.is_held();
        let held_for = lock.since.and_then(|since| now.duration_since(since).ok());
        let whole = held_for.map(|held| held + lock.remaining);
        let since = match (lock.since.filter(|_| is_held), held_for) {
            (Some(since), Some(held)) => {
                format!("{} ({} ago)", zone.time(since, now), short_duration(held))
            }
            (Some(since), None) => zone.time(since, now),
            _ => String::new(),
        };
        let left = match whole {
            _ if !is_held => String::new(),
            Some(whole) => format!(
                "{} {}",
                bar(lock.remaining, whole),
                short_duration(lock.remaining)
            ),
            None => short_duration(lock.remaining),
        };
        let note = lock
            .problem
            .as_deref()
            .or(lock.reason.as_deref())
            .unwrap_or_default();
        vec![
            Cell::plain(printable(&lock.name)),
            Cell::of_state(state(lock)),
            Cell::plain(if is_held {
                printable(&lock.node)
            } else {
                String::new().into()
            }),
            Cell::plain(since),
            Cell::plain(left),
            Cell::plain(
                lock.until
                    .map(|until| zone.time(until, now))
                    .unwrap_or_default(),
            ),
            Cell::plain(
                lock.fencing_token
                    .map(|token| token.to_string())
                    .unwrap_or_default(),
            ),
            Cell::plain(printable(note)),
        ]
    });
    table::aligned(HEADER, rows.collect(), is_terminal)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn lock(name: &str, owner: &str, left: u64) -> LockInfo {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let since = now - Duration::from_mins(1);
        LockInfo::from_record(
            name,
            owner,
            Some(since),
            now + Duration::from_secs(left),
            now,
        )
    }

    #[test]
    fn what_a_record_contains_cannot_command_a_terminal() {
        let evil = lock("a\u{1b}[2J\nb", "web\u{1b}]0;x\u{7}", 60);
        let text = table(&[evil], &Zone::new(true), false);
        assert!(
            !text.contains('\u{1b}') && !text.contains('\u{7}'),
            "{text}"
        );
        assert_eq!(text.lines().count(), 2, "{text}");
    }

    #[test]
    fn programs_get_the_same_facts_in_each_format() {
        let locks = [lock("mail", "web-2", 60), lock("free", "web-2", 0)];
        let csv = csv(&locks).unwrap();
        assert_eq!(
            csv.lines().nth(1).unwrap(),
            "mail,held,web-2,2001-09-09T01:45:40.000Z,2001-09-09T01:47:40.000Z,60000,,,,"
        );
        let json: serde_json::Value = serde_json::from_str(&json(&locks).unwrap()).unwrap();
        assert_eq!(json[0]["remaining_ms"], 60_000);
        assert_eq!(json[1]["state"], "free");
        assert_eq!(ndjson(&locks).unwrap().lines().count(), 2);
    }
}
