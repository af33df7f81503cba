//! Every way to write a duration, in any order of keys.

use shedlock::scheduler_lock;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(5);

/// humantime.
#[scheduler_lock(at_least = "1m 30s", at_most = "1h 30m", name = "human")]
pub async fn human() {}

/// ISO-8601.
#[scheduler_lock(at_most = "PT15M", name = "iso", at_least = "PT0.5S")]
pub async fn iso() {}

/// Milliseconds, as on the JVM; and an upper-case unit.
#[scheduler_lock(name = "shedlock", at_least = "30000", at_most = "10M")]
pub async fn shedlock() {}

/// Milliseconds without quotes.
#[scheduler_lock(name = "number", at_least = 0, at_most = 600_000)]
pub async fn number() {}

/// What the store may take for an answer.
#[scheduler_lock(name = "slow", at_most = "10m", timeout = "30s", wait = "1m")]
pub async fn slow() {}

/// That as an expression.
#[scheduler_lock(name = "slower", at_most = "10m", timeout = limit.saturating_mul(2))]
pub async fn slower(limit: Duration) {}

/// Expressions.
#[scheduler_lock(name = "expression", at_most = lease.saturating_mul(2), at_least = LEASE,)]
pub async fn expression(lease: Duration) {}
