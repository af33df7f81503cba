//! Ending well: `cargo run -p shedlock-examples --example graceful_shutdown`, then Ctrl-C, or `kill` its process.
//!
//! A deployment sends SIGTERM and soon after SIGKILL. A service that just dies keeps its locks until their leases end: the
//! job runs on no node for up to `at_most`. This one ends its jobs and gives its locks back first.
//!
//! The database is `sqlite://shedlock.db` in a directory of its own, or the one in `SHEDLOCK_DATABASE`.
#![expect(clippy::print_stdout, reason = "the program shows what happens")]

use std::time::Duration;

use shedlock::{SchedulerLock, ShutdownPolicy, enable_scheduler_lock, lock, scheduler_lock};
use shedlock_sqlx::SqliteLockProvider;
use tokio::time::{interval, sleep};

/// A job of hours, whose lock a dead node would keep for another ten minutes.
#[scheduler_lock(name = "import", at_most = "10m", keep_alive)]
async fn import() {
    println!("importing, lock {:?}", lock::fencing_token());
    loop {
        // Each record is written whole: the job may be dropped at any await, and only there.
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let own = format!("sqlite://{}/shedlock.db", directory.path().display());
    let database = std::env::var("SHEDLOCK_DATABASE").unwrap_or(own);
    let provider = SqliteLockProvider::connect(&database).await?;
    provider.ensure_schema().await?;
    enable_scheduler_lock!(provider = provider, default_at_most = "10m");

    let jobs = tokio::spawn(async {
        let mut ticks = interval(Duration::from_millis(200));
        loop {
            ticks.tick().await;
            import().await;
        }
    });

    asked_to_end().await?;
    // A second for the jobs that are nearly done; the rest are dropped at their next await.
    let policy = ShutdownPolicy::Await(Duration::from_secs(1));
    let report = SchedulerLock::shutdown(policy).await;
    println!(
        "ended: {} cancelled, {} locks left to run out",
        report.cancelled, report.left
    );
    jobs.abort();
    Ok(())
}

/// Waits for Ctrl-C or, where there is such a thing, SIGTERM.
async fn asked_to_end() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            pressed = tokio::signal::ctrl_c() => pressed,
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
