//! Three processes, one job, one SQLite file: `cargo run --example quickstart`.
//!
//! The program starts itself three times as "nodes". The scheduler of each node fires the same job every second, and
//! the lock lets one of them run it. Then the node that holds the lock is killed, and another takes over when the
//! lease is over. The exit code is 0 only if no tick ran twice and the takeover came when it should.
//!
//! What you would write in your own program is in this file. The rest is the demonstration: [`node`] reports what a node
//! does, [`parent`] starts and kills nodes, [`timeline`] prints, [`evidence`] judges.
#![expect(
    clippy::print_stdout,
    reason = "the timeline is this program's purpose"
)]

mod evidence;
mod node;
mod parent;
mod report;
mod timeline;

use std::process::ExitCode;
use std::time::Duration;

use shedlock::{Outcome, enable_scheduler_lock, lock_assert, scheduler_lock};
use shedlock_sqlx::SqliteLockProvider;

use crate::node::Tick;

/// When a node dies, its lock is free this long after it was taken.
const AT_MOST: Duration = Duration::from_millis(3500);

/// The lock stays taken for this long even if the work is done sooner. It has to exceed the time by which two
/// schedulers can fire the same tick apart, and to be shorter than the schedule's period.
const AT_LEAST: Duration = Duration::from_millis(800);

/// How long the work takes.
const WORK: Duration = Duration::from_millis(600);

/// The job: each node calls it every second, and the attribute lets one of them in.
///
/// Durations may also be literals, as in `at_most = "3500ms"`.
#[scheduler_lock(name = "quickstart", at_most = AT_MOST, at_least = AT_LEAST)]
async fn job(tick: &Tick) -> Outcome<()> {
    lock_assert!();
    tick.started();
    tokio::time::sleep(WORK).await;
    tick.ended();
    Outcome::Executed(())
}

/// A node: a program that runs the job on a schedule.
async fn node(database: &str) -> anyhow::Result<()> {
    node::log_to_stderr();
    let provider = SqliteLockProvider::connect(database).await?;
    provider.ensure_schema().await?;
    enable_scheduler_lock!(provider = provider, default_at_most = "10m");

    node::ready_and_go().await?;
    let every_second = node::schedule(|| async {
        let tick = Tick::fired().await;
        if let Outcome::Skipped(reason) = job(&tick).await {
            tick.skipped(reason);
        }
    });
    tokio::select! {
        () = every_second => Ok(()),
        gone = node::until_the_parent_is_gone() => gone,
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("node"), Some(database)) => node(&database).await.map(|()| ExitCode::SUCCESS),
        (None, _) => parent::run().await,
        _ => anyhow::bail!("the quickstart takes no arguments"),
    }
}
