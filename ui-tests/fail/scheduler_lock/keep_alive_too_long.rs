//! The lock would end before it is extended.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m", keep_alive = "60s")]
async fn job() {}

fn main() {}
