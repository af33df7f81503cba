//! Six processes run one job once per slot, with clocks that differ by up to half a slot: each slot has at most one run while a nemesis
//! kills and stops the processes, and exactly one run while it does not.
//!
//! A run notes the slot that stands in the store's record, so the notes do not depend on when a process gets its processor.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::print_stderr,
    reason = "what a node met is shown when its test fails"
)]

mod node;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{MariaDb, Postgres};

use crate::node::{NOTES, PERIOD, SKEW, URL};

/// By how many hundredths of a slot the clock of each node is ahead.
const SKEWS: [i32; 6] = [-45, -30, 0, 10, 30, 45];
const LENGTH: Duration = Duration::from_secs(16);

struct Fleet<'a> {
    url: &'a str,
    notes: &'a Path,
    nodes: Vec<Child>,
}

impl<'a> Fleet<'a> {
    fn start(url: &'a str, notes: &'a Path) -> Self {
        Self {
            url,
            notes,
            nodes: (0..SKEWS.len()).map(|at| spawn(at, url, notes)).collect(),
        }
    }

    /// Kills one node and starts it again, or stops it for a while.
    async fn strike(&mut self) {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(20..200))).await;
        let victim = fastrand::usize(..self.nodes.len());
        let node = &mut self.nodes[victim];
        if fastrand::bool() {
            node.kill().unwrap();
            node.wait().unwrap();
            self.nodes[victim] = spawn(victim, self.url, self.notes);
        } else {
            let pid = Pid::from_child(node);
            kill_process(pid, Signal::STOP).unwrap();
            tokio::time::sleep(Duration::from_millis(fastrand::u64(50..3_000))).await;
            kill_process(pid, Signal::CONT).unwrap();
        }
    }
}

impl Drop for Fleet<'_> {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            drop(node.kill());
            drop(node.wait());
        }
    }
}

fn spawn(at: usize, url: &str, notes: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "child_node"])
        .env(URL, url)
        .env(NOTES, notes)
        .env(SKEW, SKEWS[at].to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// How often each slot was run: begun, and ended.
fn runs(notes: &Path) -> BTreeMap<u64, [u32; 2]> {
    let mut runs: BTreeMap<u64, [u32; 2]> = BTreeMap::new();
    for line in fs::read_to_string(notes).unwrap().lines() {
        let (what, slot) = line.split_once(' ').unwrap();
        let counts = runs.entry(slot.parse().unwrap()).or_default();
        counts[usize::from(what == "end")] += 1;
    }
    runs
}

async fn each_slot_at_most_once(url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes");
    let mut fleet = Fleet::start(url, &notes);
    let until = Instant::now() + LENGTH;
    while Instant::now() < until {
        fleet.strike().await;
    }
    drop(fleet);
    let runs = runs(&notes);
    assert!(runs.len() > 3, "the job must run in the storm: {runs:?}");
    let twice: Vec<_> = runs.iter().filter(|(_, [begun, _])| *begun > 1).collect();
    assert!(
        twice.is_empty(),
        "slots that were run more than once: {twice:?}"
    );
}

async fn each_slot_exactly_once(url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes");
    let fleet = Fleet::start(url, &notes);
    tokio::time::sleep(LENGTH).await;
    drop(fleet);
    let runs = runs(&notes);
    let (first, last) = (runs.keys().next().unwrap(), runs.keys().last().unwrap());
    let millis = u64::try_from(PERIOD.as_millis()).unwrap();
    for slot in (*first..=*last).step_by(PERIOD.as_millis().try_into().unwrap()) {
        let [begun, ended] = runs.get(&slot).copied().unwrap_or_default();
        assert_eq!(begun, 1, "slot {} of {runs:?}", slot / millis);
        // The last one may have been cut off with the fleet.
        assert!(
            ended == 1 || slot == *last,
            "slot {} of {runs:?}",
            slot / millis
        );
    }
    // As long as eight slots, of which those are none that passed before the nodes had started.
    assert!(runs.len() > 3, "the job must run: {runs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["calm", "storm"] {
        let url = format!("sqlite://{}", directory.path().join(name).display());
        match name {
            "calm" => each_slot_exactly_once(&url).await,
            _ => each_slot_at_most_once(&url).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    let server = server_or_skip!(Postgres::start().await);
    each_slot_exactly_once(&server.fresh_database().await).await;
    each_slot_at_most_once(&server.fresh_database().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb() {
    let server = server_or_skip!(MariaDb::start().await);
    each_slot_exactly_once(&server.fresh_database().await).await;
    each_slot_at_most_once(&server.fresh_database().await).await;
}

#[test]
#[ignore = "runs as the child of the other tests of this file"]
fn child_node() {
    node::run();
}
