//! Stores count in milliseconds.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "999us")]
async fn job() {}

#[scheduler_lock(name = "job", at_most = "1m", keep_alive = "1us")]
async fn kept() {}

fn main() {}
