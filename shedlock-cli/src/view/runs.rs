//! Runs as a table, JSON and comma-separated values.

use std::io::{IsTerminal as _, stdout};
use std::time::SystemTime;

use serde::Serialize;
use shedlock_runtime::{RunRecord, format_timestamp, printable, short_duration};

use super::table::{self, Cell};
use super::times::Zone;
use crate::args::Format;
use crate::exit::Failure;

/// One run, for programs. The names of the fields do not change.
#[derive(Debug, Serialize)]
struct Row<'a> {
    name: &'a str,
    outcome: &'static str,
    node: &'a str,
    began: String,
    ended: String,
    took_ms: u64,
    attempt: Option<u32>,
    fencing_token: Option<u64>,
    error: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn new(run: &'a RunRecord) -> Self {
        Self {
            name: &run.lock,
            outcome: run.outcome.as_str(),
            node: &run.node,
            began: format_timestamp(run.began),
            ended: format_timestamp(run.ended),
            took_ms: u64::try_from(run.took().as_millis()).unwrap_or(u64::MAX),
            attempt: run.position.map(|position| position.tries),
            fencing_token: run.fencing_token,
            error: run.error.as_deref(),
        }
    }
}

pub(super) fn show(runs: &[RunRecord], format: Format) -> Result<String, Failure> {
    const COLUMNS: &[&str] = &[
        "name",
        "outcome",
        "node",
        "began",
        "ended",
        "took_ms",
        "attempt",
        "fencing_token",
        "error",
    ];
    let rows = runs.iter().map(Row::new);
    if format.json {
        table::json(&rows.collect::<Vec<_>>())
    } else if format.ndjson {
        table::ndjson(rows)
    } else if format.csv {
        table::csv(COLUMNS, rows)
    } else {
        Ok(as_table(runs, &Zone::new(format.utc)))
    }
}

fn as_table(runs: &[RunRecord], zone: &Zone) -> String {
    const HEADER: &[&str] = &["BEGAN", "TOOK", "OUTCOME", "NODE", "TOKEN", "ERROR"];
    let now = SystemTime::now();
    let rows = runs.iter().map(|run| {
        vec![
            Cell::plain(zone.time(run.began, now)),
            Cell::plain(short_duration(run.took())),
            Cell::of_state(run.outcome.as_str()),
            Cell::plain(printable(&run.node)),
            Cell::plain(
                run.fencing_token
                    .map(|token| token.to_string())
                    .unwrap_or_default(),
            ),
            Cell::plain(printable(run.error.as_deref().unwrap_or_default())),
        ]
    });
    table::aligned(HEADER, rows.collect(), stdout().is_terminal())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use shedlock_runtime::RunOutcome;

    use super::*;

    #[test]
    fn a_run_is_shown_in_each_format() {
        let began = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let ran = began..began + Duration::from_secs(90);
        let run =
            RunRecord::new("mail", "web-2", ran, RunOutcome::Failed).with_error("out of\npaper");
        let format = Format {
            json: false,
            ndjson: false,
            csv: false,
            utc: true,
        };
        let table = show(std::slice::from_ref(&run), format).unwrap();
        let line = table.lines().nth(1).unwrap();
        for part in [
            "2001-09-09 01:46:40",
            "1m 30s",
            "failed",
            "web-2",
            "out of\\npaper",
        ] {
            assert!(line.contains(part), "{line}");
        }
        let json = show(
            &[run],
            Format {
                json: true,
                ..format
            },
        )
        .unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json[0]["took_ms"], 90_000);
    }
}
