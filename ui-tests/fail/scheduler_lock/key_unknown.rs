//! A key does not exist.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "10m", colour = "red")]
async fn job() {}

fn main() {}
