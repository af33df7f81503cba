//! The examples with a scheduler, each as two processes on one file: they run once a tick, and one goes on alone.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]

#[path = "support/program.rs"]
mod program;

use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::program::Program;

/// Ticks are four seconds apart, and each process's own at most one second from the other's: two runs closer than this
/// are runs of one tick.
const ONE_TICK: Duration = Duration::from_millis(1800);

fn database(folder: &TempDir) -> String {
    format!("sqlite://{}", folder.path().join("locks.db").display())
}

/// The lock's token in the next run of a process, and when the run was seen.
async fn next_run(program: &mut Program) -> (u64, Instant) {
    let line = program.next_line("run ").await;
    let token = line.split(' ').next().unwrap();
    (token.parse().unwrap(), Instant::now())
}

async fn two_processes_run_each_tick_once(example: &str) {
    let folder = TempDir::new().unwrap();
    let database = database(&folder);
    let environment = [("DATABASE", database.as_str())];
    let mut one = Program::start(example, &environment);
    one.next_line("started").await;
    // So that the ticks of an interval differ by about a second.
    sleep(Duration::from_secs(1)).await;
    let mut two = Program::start(example, &environment);
    two.next_line("started").await;

    let mut runs = Vec::new();
    while runs.len() < 4 {
        runs.push(tokio::select! {
            run = next_run(&mut one) => run,
            run = next_run(&mut two) => run,
        });
    }
    for pair in runs.windows(2) {
        assert!(pair[0].0 < pair[1].0, "{runs:?}");
        assert!(pair[1].1 - pair[0].1 > ONE_TICK, "{runs:?}");
    }

    // The one that is left carries on. Killed between two ticks: in the middle of a run, the lease would have to end.
    sleep(Duration::from_secs(1)).await;
    drop(one);
    let last = runs.pop().unwrap();
    assert!(next_run(&mut two).await.0 > last.0);
}

#[tokio::test]
async fn tokio_interval() {
    two_processes_run_each_tick_once("tokio_interval").await;
}

#[tokio::test]
async fn tokio_cron_scheduler() {
    two_processes_run_each_tick_once("tokio_cron_scheduler").await;
}

#[tokio::test]
async fn apalis() {
    two_processes_run_each_tick_once("apalis").await;
}

#[tokio::test]
async fn the_scheduler_gives_its_locks_back_when_it_is_told_to_end() {
    let folder = TempDir::new().unwrap();
    let database = database(&folder);
    let environment = [("DATABASE", database.as_str())];
    let mut one = Program::start("tokio_cron_scheduler", &environment);
    one.next_line("importing").await;
    one.interrupt().await;
    assert_eq!(one.next_line("stopped ").await, "1 of the jobs");
    assert!(one.ended().await);
    // Its lease is an hour: without the release nobody would import for so long.
    let mut two = Program::start("tokio_cron_scheduler", &environment);
    two.next_line("importing").await;
}
