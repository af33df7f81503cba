//! A "run now" button for a locked job, over HTTP.
//!
//! ```sh
//! cargo run -p shedlock-examples --example run_now
//! curl -i -X POST http://127.0.0.1:3000/report/run    # 200 and the result; meanwhile, from elsewhere: 409 and who
//! ```
//!
//! The job is the one that the schedule runs, under the same lock: a click never makes it run twice at a time, whichever
//! replica it reaches. It has no `at_least`, or a click soon after a run would be refused.
#![expect(
    clippy::print_stdout,
    reason = "the program says where it listens and what it did"
)]

use std::time::Duration;

use anyhow::Context as _;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use shedlock::{
    LockAdmin as _, LockError, Outcome, SchedulerLock, ShutdownPolicy, SkipReason,
    enable_scheduler_lock, lock_assert, scheduler_lock,
};
use shedlock_sqlx::SqliteLockProvider;
use tokio::net::TcpListener;

const NAME: &str = "report";

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum ReportError {
    /// The store failed: the job did not run, or was cancelled, if the kind is `Lost` or `ShutDown`.
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("there is nothing to report")]
    Empty,
}

/// The job: the scheduler calls it too.
#[scheduler_lock(name = NAME, at_most = "10m")]
async fn report(lines: u32) -> Result<Outcome<u32>, ReportError> {
    lock_assert!();
    // Stands for work.
    tokio::time::sleep(Duration::from_secs(3)).await;
    if lines == 0 {
        return Err(ReportError::Empty);
    }
    println!("a report of {lines} lines");
    Ok(Outcome::Executed(lines))
}

/// Runs the job unless somebody else does. A failure of the store is neither: it may be tried again.
///
/// The job is a task of its own: a client that hangs up has this function dropped, and would cancel the job with it.
async fn run_now(State(locks): State<SqliteLockProvider>) -> (StatusCode, String) {
    let ran = match tokio::spawn(report(12)).await {
        Ok(ran) => ran,
        Err(panic) => return (StatusCode::INTERNAL_SERVER_ERROR, format!("{panic}\n")),
    };
    match ran {
        Ok(Outcome::Executed(lines)) => (StatusCode::OK, format!("a report of {lines} lines\n")),
        Ok(Outcome::Skipped(reason)) => (StatusCode::CONFLICT, why(&locks, reason).await),
        Err(ReportError::Lock(error)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

/// What an operator wants to know then: who, and for how long. They may be done by now.
async fn why(locks: &SqliteLockProvider, reason: SkipReason) -> String {
    match locks.get(NAME).await {
        Ok(Some(lock)) if lock.is_held() => format!(
            "not run ({reason}): {} has the lock for another {} s at most\n",
            lock.node,
            lock.remaining.as_secs()
        ),
        _ => format!("not run ({reason}): try again\n"),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let everybodys = std::env::temp_dir().join("shedlock-examples.db");
    let database =
        std::env::var("DATABASE").unwrap_or_else(|_| format!("sqlite://{}", everybodys.display()));
    let provider = SqliteLockProvider::connect(&database).await?;
    provider.ensure_schema().await?;
    enable_scheduler_lock!(provider = provider.clone(), default_at_most = "10m");

    let port: u16 = std::env::var("PORT")
        .map_or(Ok(3000), |port| port.parse())
        .context("PORT")?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let service = axum::Router::new()
        .route("/report/run", post(run_now))
        .with_state(provider);
    axum::serve(listener, service)
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await?;
    // Nobody waits for the job of a client that has hung up.
    SchedulerLock::shutdown(ShutdownPolicy::Await(Duration::from_secs(5))).await;
    Ok(())
}
