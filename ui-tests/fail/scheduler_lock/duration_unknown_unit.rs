//! A duration has an unknown unit.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "10 parsecs")]
async fn job() {}

fn main() {}
