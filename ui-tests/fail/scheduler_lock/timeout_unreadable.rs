//! The limit is no duration.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m", timeout = "30 secnds")]
async fn job() {}

#[scheduler_lock(name = "job", at_most = "1m", timeout = 30.0)]
async fn float() {}

fn main() {}
