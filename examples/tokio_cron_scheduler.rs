//! A scheduler whose every job is locked, shared by as many processes as you start.
//!
//! ```sh
//! cargo run -p shedlock-examples --example tokio_cron_scheduler    # in two terminals; then end one of them
//! RUST_LOG=shedlock=debug cargo run -p shedlock-examples --example tokio_cron_scheduler    # shows the skips too
//! ```
#![expect(clippy::print_stdout, reason = "the program shows what happens")]

use std::time::Duration;

use shedlock::{LockConfiguration, lock, lock_assert};
use shedlock_sqlx::SqliteLockProvider;
use shedlock_tokio_cron_scheduler::LockedScheduler;
use tokio_cron_scheduler::JobScheduler;
use tracing_subscriber::EnvFilter;

/// Nothing here says that it is locked: the scheduler is.
async fn refresh() {
    lock_assert!();
    println!("run {}", lock::fencing_token().unwrap_or_default());
}

/// An error is logged, and the job runs again at its next tick.
async fn report() -> anyhow::Result<()> {
    anyhow::bail!("the printer is out of paper")
}

/// So is a panic; its lock is given back.
async fn audit() {
    let books = [17, 4];
    assert_eq!(books.iter().sum::<i32>(), 22, "the books do not balance");
}

async fn import() {
    println!("importing");
    tokio::time::sleep(Duration::from_mins(10)).await;
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("shedlock=info"));
    tracing_subscriber::fmt().with_env_filter(filter).init();
    let everybodys = std::env::temp_dir().join("shedlock-examples.db");
    let database =
        std::env::var("DATABASE").unwrap_or_else(|_| format!("sqlite://{}", everybodys.display()));
    let provider = SqliteLockProvider::connect(&database).await?;
    provider.ensure_schema().await?;

    let jobs = LockedScheduler::new(JobScheduler::new().await?, provider, "1m")?;
    jobs.cron("*/4 * * * * *", "refresh", refresh).await?;
    jobs.interval("5s", "report", report).await?;
    jobs.interval("7s", "audit", audit).await?;
    // A lock with settings of its own; the `at_least` that fits the schedule comes by itself, here as above.
    let long = LockConfiguration::new("import", "1h")?;
    jobs.cron("*/2 * * * * *", long, import).await?;
    jobs.start().await?;
    println!("started");

    tokio::signal::ctrl_c().await?;
    let stopped = jobs.shutdown("1s").await?;
    println!("stopped {} of the jobs", stopped.cancelled);
    Ok(())
}
