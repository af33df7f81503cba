//! The key is spelled otherwise, or as elsewhere.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m", timout = "30s")]
async fn job() {}

#[scheduler_lock(name = "job", at_most = "1m", timeLimit = "30s")]
async fn elsewhere() {}

fn main() {}
