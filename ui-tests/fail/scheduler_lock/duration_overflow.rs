//! A duration overflows.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "99999999999999999999d", at_least = "36501d")]
async fn job() {}

fn main() {}
