//! A cron worker of apalis, shared by as many processes as you start.
//!
//! ```sh
//! cargo run -p shedlock-examples --example apalis    # in two terminals; then end one of them
//! ```
//!
//! Each process has its own cron schedule in memory, so each sees every tick; the lock makes it one run. (Piping the
//! ticks into a common queue does not: every process pushes its own.)
#![expect(clippy::print_stdout, reason = "the program shows what happens")]

use std::str::FromStr as _;

use apalis::prelude::{BoxDynError, Data, WorkerBuilder};
use apalis_cron::{CronScheduler, Tick};
use cron::Schedule;
use shedlock::{enable_scheduler_lock, lock, lock_assert, scheduler_lock};
use shedlock_sqlx::SqliteLockProvider;

/// The handler itself has the attribute; apalis's extractors go on working. A skipped tick is `Ok(())`, a store error
/// an `Err` that apalis reports.
///
/// A layer that retries is outside the lock: within `at_least` its second attempt would be skipped. Where a run is to
/// be tried again, do it inside the function.
#[scheduler_lock(name = "refresh", at_most = "1m", at_least = "2s")]
async fn refresh(tick: Tick, greeting: Data<&'static str>) -> Result<(), BoxDynError> {
    lock_assert!();
    let token = lock::fencing_token().unwrap_or_default();
    println!("run {token} for {}, {}", tick.get_timestamp(), *greeting);
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let everybodys = std::env::temp_dir().join("shedlock-examples.db");
    let database =
        std::env::var("DATABASE").unwrap_or_else(|_| format!("sqlite://{}", everybodys.display()));
    let provider = SqliteLockProvider::connect(&database).await?;
    provider.ensure_schema().await?;
    enable_scheduler_lock!(provider = provider, default_at_most = "10m");

    let worker = WorkerBuilder::new("refresher")
        .backend(CronScheduler::new(Schedule::from_str("*/4 * * * * *")?))
        .data("good morning")
        .build(refresh);
    println!("started");
    worker.run_until(tokio::signal::ctrl_c()).await?;
    Ok(())
}
