//! Nothing would ever run.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "10m", once_per = "1h", attempts = 0)]
async fn job() {}

fn main() {}
