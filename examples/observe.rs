//! What an operator sees of a locked job: log lines as JSON, metrics as Prometheus reads them, and a listener.
//!
//! ```sh
//! cargo run -p shedlock-examples --example observe
//! RUST_LOG=shedlock=debug cargo run -p shedlock-examples --example observe
//! ```
//!
//! A normal run and a normal skip are silent at INFO. The job that outlives its lease is not. At the end the metrics are
//! printed; a service lets Prometheus fetch them, see `observability/README.md`.
#![expect(clippy::print_stdout, reason = "the program shows what it sees")]

use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use shedlock::{
    EventKind, InMemoryLockProvider, LockConfiguration, LockEvent, LockProviderExt as _,
    SchedulerLock, ShutdownPolicy, enable_scheduler_lock, lock, scheduler_lock,
};
use tracing_subscriber::EnvFilter;

/// One function, and a lock for each tenant: in the metrics they are one series, `sync-{tenant}`.
#[scheduler_lock(name = "sync-{tenant}", at_most = "1m")]
async fn sync(tenant: &str) -> Option<usize> {
    Some(tenant.len())
}

/// Kept alive: its lease is extended as long as it takes.
#[scheduler_lock(name = "import", at_most = "3s", keep_alive = "300ms")]
async fn import() {
    tokio::time::sleep(Duration::from_millis(900)).await;
}

/// Not kept alive, and slower than its lease: an operator has to know.
#[scheduler_lock(name = "too_slow", at_most = "2s")]
async fn too_slow() {
    lock::lost().await;
}

/// The metrics of this process.
fn record_metrics() -> anyhow::Result<PrometheusHandle> {
    let recorder = PrometheusBuilder::new()
        // Without buckets they would be summaries, which cannot be added up over nodes.
        .set_buckets_for_metric(
            Matcher::Prefix("shedlock".to_owned()),
            &[
                0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 1800.0, 3600.0,
            ],
        )?
        .install_recorder()?;
    Ok(recorder)
}

/// Called on a thread of its own for everything that happens: the place for a page or a ping.
fn notice(event: &LockEvent) {
    match &event.kind {
        EventKind::Lost(reason) => {
            println!("PAGE: {} lost its lock ({})", event.lock, reason.as_str());
        }
        EventKind::Finished { outcome, took, .. } => {
            println!("ping: {} {} after {took:.1?}", event.lock, outcome.as_str());
        }
        _ => {}
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .init();
    // Before the first lock is taken: what was not counted then is not counted later.
    let metrics = record_metrics()?;
    SchedulerLock::listen(notice)?.detach();
    let provider = InMemoryLockProvider::new();
    enable_scheduler_lock!(provider = provider.clone(), default_at_most = "10m");

    for tenant in ["acme", "umbrella"] {
        sync(tenant).await;
    }
    // Somebody else is at it: the call is skipped. By hand, the template has to be said.
    let config = LockConfiguration::new("sync-acme", "1m")?.with_template("sync-{tenant}");
    let other = provider.try_lock(config).await?;
    sync("acme").await;
    drop(other);
    import().await;
    too_slow().await;

    // Also waits until listeners have heard the last events.
    SchedulerLock::shutdown(ShutdownPolicy::Cancel).await;
    print!("{}", metrics.render());
    Ok(())
}
