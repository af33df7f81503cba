//! A web service whose replicas share a cron job through PostgreSQL.
//!
//! ```sh
//! DATABASE_URL=postgres://user:password@localhost/database cargo run -p shedlock-examples --example axum_and_cron
//! curl http://127.0.0.1:3000/health
//! ```
//!
//! Start it twice (`PORT=3001 ..`): every five seconds one of the two refreshes its prices and the other skips. The
//! service answers all the time, also while the database is away: then the job does not run, and `/health` says why.
#![expect(
    clippy::print_stdout,
    reason = "the program says where it listens and what its job did"
)]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use shedlock::{
    LockError, Outcome, SchedulerLock, ShutdownPolicy, enable_scheduler_lock, lock_assert,
    scheduler_lock,
};
use shedlock_sqlx::PostgresLockProvider;
use tokio::net::TcpListener;
use tokio_cron_scheduler::{Job, JobScheduler};

/// What the service knows.
#[derive(Debug, Default)]
struct Prices {
    last: Mutex<Option<Result<Outcome<u32>, String>>>,
}

#[derive(Debug, thiserror::Error)]
enum RefreshError {
    /// The store failed: the job did not run, or was cancelled, if the kind is `Lost` or `ShutDown`. `From` is all that the attribute needs.
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("the supplier sent no prices")]
    NoPrices,
}

/// The job. One replica at a time runs it, and not twice for one tick: schedulers are up to half a second apart.
#[scheduler_lock(name = "refresh_prices", at_most = "1m", at_least = "3s")]
async fn refresh(supplier: &str) -> Result<Outcome<u32>, RefreshError> {
    lock_assert!();
    let prices = ask(supplier).await?;
    Ok(Outcome::Executed(prices))
}

/// Stands for a request over the network.
async fn ask(supplier: &str) -> Result<u32, RefreshError> {
    tokio::time::sleep(Duration::from_millis(200)).await;
    match supplier {
        "" => Err(RefreshError::NoPrices),
        _ => Ok(42),
    }
}

impl Prices {
    fn remember(&self, result: Result<Outcome<u32>, RefreshError>) {
        let result = result.map_err(|error| error.to_string());
        let line = format!("refresh_prices: {result:?}");
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        println!("{line}");
    }
}

async fn health(State(prices): State<Arc<Prices>>) -> (StatusCode, String) {
    let last = prices.last.lock().unwrap_or_else(PoisonError::into_inner);
    match &*last {
        None => (StatusCode::OK, "up; no refresh was due yet\n".to_owned()),
        Some(Ok(Outcome::Executed(count))) => (StatusCode::OK, format!("up; {count} prices\n")),
        Some(Ok(Outcome::Skipped(reason))) => (
            StatusCode::OK,
            format!("up; skipped ({reason}): another replica refreshes\n"),
        ),
        Some(Err(error)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::var("DATABASE_URL").context(
        "set DATABASE_URL to a database, such as postgres://user:password@localhost/name",
    )?;
    let provider = PostgresLockProvider::connect(&url).await?;
    // Convenient here. In production the table comes with your other migrations.
    provider.ensure_schema().await?;
    enable_scheduler_lock!(provider = provider, default_at_most = "10m");

    let prices = Arc::new(Prices::default());
    let mut scheduler = JobScheduler::new().await?;
    let job_prices = Arc::clone(&prices);
    scheduler
        .add(Job::new_async("*/5 * * * * *", move |_id, _scheduler| {
            let prices = Arc::clone(&job_prices);
            // The scheduler drops what a job returns, so the job itself has to look at it.
            Box::pin(async move { prices.remember(refresh("a supplier").await) })
        })?)
        .await?;
    scheduler.start().await?;

    let port: u16 = std::env::var("PORT")
        .map_or(Ok(3000), |port| port.parse())
        .context("PORT")?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let service = axum::Router::new()
        .route("/health", get(health))
        .with_state(prices);
    axum::serve(listener, service)
        .with_graceful_shutdown(async { drop(asked_to_end().await) })
        .await?;
    scheduler.shutdown().await?;
    // A second for a refresh that is nearly done. Without this, the other replica would wait for the end of its lease.
    SchedulerLock::shutdown(ShutdownPolicy::Await(Duration::from_secs(1))).await;
    Ok(())
}

/// Waits for Ctrl-C or, where there is such a thing, the SIGTERM that a deployment sends.
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
