//! A chain begins with step one.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "10m", step = 0)]
async fn job() {}

fn main() {}
