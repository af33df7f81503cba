//! A fleet of real processes that run one locked job while a nemesis kills and stops them and their store.
//!
//! Each node notes what it does in a file of its own, in the machine's monotonic time, before it does it. Afterwards a
//! checker reads the files: two runs must never overlap.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a fleet did is shown when its test fails"
)]

mod check;
mod nemesis;
mod node;
mod record;

use std::time::{Duration, Instant};

use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{MariaDb, Postgres};

use crate::check::Verdict;
use crate::nemesis::Fleet;

const NODES: usize = 6;
/// How long the nemesis is at work, and how long the fleet then has for itself.
const STORM: Duration = Duration::from_secs(12);
const CALM: Duration = Duration::from_secs(3);

/// The deadline is checked before each poll, so a poll that began in time may be noted late; more than this many runs with
/// such a note would mean that it is not checked.
const MOST_STRAGGLERS: usize = 2;

async fn survives(url: &str, mut store_nemesis: impl AsyncFnMut()) {
    let mut fleet = Fleet::start(NODES, url);
    let until = Instant::now() + STORM;
    while Instant::now() < until {
        fleet.strike().await;
        if fastrand::u8(..8) == 0 {
            store_nemesis().await;
        }
    }
    fleet.relieve();
    tokio::time::sleep(CALM).await;
    let verdict = Verdict::over(&fleet.end());
    println!("{url}: {verdict}");
    assert_eq!(verdict.violations, Vec::<String>::new(), "{verdict}");
    assert!(verdict.stragglers <= MOST_STRAGGLERS, "{verdict}");
    assert!(
        verdict.runs > 20,
        "the job must run in the storm: {verdict}"
    );
    assert!(
        verdict.killed_runs > 0,
        "the nemesis must hit a running job: {verdict}"
    );
    assert!(
        verdict.last_run_ago < CALM,
        "the job must run again after the storm: {verdict}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_no_two_runs_overlap() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("locks.db").display());
    survives(&url, async || {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_no_two_runs_overlap() {
    let server = server_or_skip!(Postgres::start().await);
    let url = server.fresh_database().await;
    survives(&url, async || {
        if fastrand::bool() {
            server.pause().await.unwrap();
            tokio::time::sleep(Duration::from_millis(fastrand::u64(100..1_200))).await;
            server.resume().await.unwrap();
        } else {
            server.kill().await.unwrap();
            server.restart().await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_no_two_runs_overlap() {
    let server = server_or_skip!(MariaDb::start().await);
    let url = server.fresh_database().await;
    survives(&url, async || {
        server.pause().await.unwrap();
        tokio::time::sleep(Duration::from_millis(fastrand::u64(100..1_200))).await;
        server.resume().await.unwrap();
    })
    .await;
}

#[test]
#[ignore = "runs as the child of the other tests of this file"]
fn child_node() {
    node::run();
}
