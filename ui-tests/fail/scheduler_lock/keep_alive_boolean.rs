//! The flag is given as a boolean.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m", keep_alive = true)]
async fn job() {}

fn main() {}
