//! The lock would be extended without end.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m", keep_alive = "0")]
async fn job() {}

fn main() {}
