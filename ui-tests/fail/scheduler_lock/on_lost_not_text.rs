//! The choice is not a string.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m", on_lost = cancel)]
async fn job() {}

fn main() {}
