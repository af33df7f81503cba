//! A duration is negative.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "-5m", at_least = "PT-5S")]
async fn job() {}

fn main() {}
