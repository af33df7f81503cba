//! There is nothing to count the attempts for.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "10m", attempts = 3)]
async fn job() {}

fn main() {}
