//! The smallest use: a free function that returns nothing.

use shedlock::scheduler_lock;

/// Locked.
#[scheduler_lock(name = "nightly_report", at_most = "10m", at_least = "14m")]
pub async fn nightly_report() {
    tokio::task::yield_now().await;
}

/// Locked, with the defaults of `enable_scheduler_lock!`, and nothing to await.
#[scheduler_lock(name = "defaults")]
pub async fn defaults() {}
