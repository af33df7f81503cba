//! `keep_alive`, `on_lost` and `wait`.

use shedlock::scheduler_lock;
use std::time::Duration;

/// The flag.
#[scheduler_lock(name = "flag", at_most = "1m", keep_alive)]
pub async fn flag() {}

/// The flag, not at the end.
#[scheduler_lock(keep_alive, name = "first", at_most = "1m", on_lost = "cancel")]
pub async fn first() {}

/// A period.
#[scheduler_lock(
    name = "period",
    at_most = "1m",
    keep_alive = "20s",
    on_lost = "notify"
)]
pub async fn period() {}

/// A period by expression, and a wait.
#[scheduler_lock(name = "expression", at_most = "1m", keep_alive = period, wait = "5s")]
pub async fn expression(period: Duration) {}
