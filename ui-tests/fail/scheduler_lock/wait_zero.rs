//! Waiting for no time is what happens anyway.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m", wait = "0s")]
async fn job() {}

fn main() {}
