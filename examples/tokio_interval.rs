//! A job on tokio's own interval, shared by as many processes as you start.
//!
//! ```sh
//! cargo run -p shedlock-examples --example tokio_interval    # in two terminals; then end one of them
//! ```
//!
//! Every four seconds one of the processes runs the job and the others skip.
#![expect(clippy::print_stdout, reason = "the program shows what happens")]

use std::time::Duration;

use shedlock::{Outcome, enable_scheduler_lock, lock, lock_assert, scheduler_lock};
use shedlock_sqlx::SqliteLockProvider;
use tokio::time::MissedTickBehavior;

const EVERY: Duration = Duration::from_secs(4);

/// Each process counts from its own start, so their ticks lie anywhere in the four seconds. With an `at_least` of
/// nearly as long, they run once in that time all together; with a short one, every process would find the lock free.
/// Not quite as long, so that a timer that is a little early does not miss its turn.
const AT_LEAST: Duration = EVERY.saturating_sub(Duration::from_millis(200));

#[scheduler_lock(name = "refresh", at_most = "1m", at_least = AT_LEAST)]
async fn refresh() -> anyhow::Result<Outcome<u64>> {
    lock_assert!();
    Ok(Outcome::Executed(lock::fencing_token().unwrap_or_default()))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let everybodys = std::env::temp_dir().join("shedlock-examples.db");
    let database =
        std::env::var("DATABASE").unwrap_or_else(|_| format!("sqlite://{}", everybodys.display()));
    let provider = SqliteLockProvider::connect(&database).await?;
    provider.ensure_schema().await?;
    enable_scheduler_lock!(provider = provider, default_at_most = "10m");

    let mut ticks = tokio::time::interval(EVERY);
    // After a pause, one tick: not one for each that was missed.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    println!("started");
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            stop = tokio::signal::ctrl_c() => return Ok(stop?),
        }
        // A store that is away is no reason to end: the next tick asks again.
        match refresh().await {
            Ok(Outcome::Executed(token)) => println!("run {token}"),
            Ok(Outcome::Skipped(reason)) => println!("skipped: {reason}"),
            Err(error) => println!("not run: {error}"),
        }
    }
}
