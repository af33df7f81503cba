//! The same facts as JSON. The names of the fields are those of `shedlock list --json` and do not change.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shedlock_runtime::{RunRecord, format_timestamp};

use super::query::LockQuery;
use super::reader::View;
use super::site::Site;
use crate::{ClockDifference, LockRow, Snapshot};

pub(super) async fn snapshot(State(site): State<Arc<Site>>) -> Response {
    let view = site.reader.view().await;
    match &view.snapshot {
        Some(snapshot) => Json(AllLocks::new(snapshot, &view)).into_response(),
        None => unknown(&view),
    }
}

pub(super) async fn lock(
    State(site): State<Arc<Site>>,
    Query(query): Query<LockQuery>,
) -> Response {
    let view = site.reader.view().await;
    let Some(snapshot) = &view.snapshot else {
        return unknown(&view);
    };
    match snapshot.lock(&query.name) {
        Some(row) => Json(OneLock::new(row, snapshot)).into_response(),
        None => failed(
            StatusCode::NOT_FOUND,
            "the store has no record of this lock",
        ),
    }
}

/// The answer while nothing is known.
fn unknown(view: &View) -> Response {
    let failure = view.failure.as_deref();
    let failure = failure.unwrap_or("the store has not answered yet");
    failed(StatusCode::SERVICE_UNAVAILABLE, failure)
}

/// An answer that says what went wrong.
pub(super) fn failed(status: StatusCode, error: &str) -> Response {
    #[derive(Debug, Serialize)]
    struct Failed<'a> {
        error: &'a str,
    }
    (status, Json(Failed { error })).into_response()
}

#[derive(Debug, Serialize)]
struct AllLocks<'a> {
    provider: &'a str,
    node: &'a str,
    read_at: String,
    /// How old this snapshot is.
    age_ms: u64,
    round_trip_ms: u64,
    /// How far the store's clock is ahead of this machine's.
    clock_ahead_ms: Option<i64>,
    keeps_history: bool,
    failure: Option<&'a str>,
    warnings: Vec<Told<'a>>,
    locks: Vec<Lock<'a>>,
}

#[derive(Debug, Serialize)]
struct Told<'a> {
    lock: Option<&'a str>,
    kind: &'static str,
    text: String,
}

#[derive(Debug, Serialize)]
struct OneLock<'a> {
    #[serde(flatten)]
    lock: Lock<'a>,
    warnings: Vec<Told<'a>>,
    runs: Vec<Run<'a>>,
}

#[derive(Debug, Serialize)]
struct Lock<'a> {
    name: &'a str,
    state: &'static str,
    node: &'a str,
    since: Option<String>,
    until: Option<String>,
    held_for_ms: Option<u64>,
    remaining_ms: u64,
    fencing_token: Option<u64>,
    position: Option<u64>,
    reason: Option<&'a str>,
    problem: Option<&'a str>,
    last_run: Option<Run<'a>>,
}

#[derive(Debug, Serialize)]
struct Run<'a> {
    outcome: &'static str,
    node: &'a str,
    began: String,
    ended: String,
    took_ms: u64,
    attempt: Option<u32>,
    fencing_token: Option<u64>,
    error: Option<&'a str>,
}

impl<'a> AllLocks<'a> {
    fn new(snapshot: &'a Snapshot, view: &'a View) -> Self {
        let ahead = |difference| match difference {
            ClockDifference::Ahead(by) => signed(millis(by)),
            ClockDifference::Behind(by) => -signed(millis(by)),
        };
        Self {
            provider: snapshot.provider,
            node: &snapshot.node,
            read_at: format_timestamp(snapshot.read_at),
            age_ms: millis(view.age()),
            round_trip_ms: millis(snapshot.round_trip),
            clock_ahead_ms: snapshot.clock_difference.map(ahead),
            keeps_history: snapshot.keeps_history,
            failure: view.failure.as_deref(),
            warnings: told(snapshot, |_| true),
            locks: snapshot.locks.iter().map(Lock::new).collect(),
        }
    }
}

impl<'a> OneLock<'a> {
    fn new(row: &'a LockRow, snapshot: &'a Snapshot) -> Self {
        let name = Some(row.info.name.as_str());
        Self {
            lock: Lock::new(row),
            warnings: told(snapshot, |lock| lock == name),
            runs: row.runs.iter().map(Run::new).collect(),
        }
    }
}

fn told(snapshot: &Snapshot, is_wanted: impl Fn(Option<&str>) -> bool) -> Vec<Told<'_>> {
    let all = snapshot.warnings.iter();
    all.filter(|warning| is_wanted(warning.lock.as_deref()))
        .map(|warning| Told {
            lock: warning.lock.as_deref(),
            kind: warning.kind.as_str(),
            text: warning.to_string(),
        })
        .collect()
}

impl<'a> Lock<'a> {
    fn new(row: &'a LockRow) -> Self {
        let info = &row.info;
        Self {
            name: &info.name,
            state: row.state.as_str(),
            node: &info.node,
            since: info.since.map(format_timestamp),
            until: info.until.map(format_timestamp),
            held_for_ms: row.held_for.map(millis),
            remaining_ms: millis(info.remaining),
            fencing_token: info.fencing_token,
            position: info.position.map(|position| position.number),
            reason: info.reason.as_deref(),
            problem: info.problem.as_deref(),
            last_run: row.runs.first().map(Run::new),
        }
    }
}

impl<'a> Run<'a> {
    fn new(run: &'a RunRecord) -> Self {
        Self {
            outcome: run.outcome.as_str(),
            node: &run.node,
            began: format_timestamp(run.began),
            ended: format_timestamp(run.ended),
            took_ms: millis(run.took()),
            attempt: run.position.map(|position| position.tries),
            fencing_token: run.fencing_token,
            error: run.error.as_deref(),
        }
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn signed(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}
