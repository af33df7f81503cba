//! The last number has no unit.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1h 30")]
async fn job() {}

fn main() {}
