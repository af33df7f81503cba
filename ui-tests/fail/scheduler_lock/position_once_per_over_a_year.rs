//! Nobody means a slot that long.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "10m", once_per = "366d")]
async fn job() {}

fn main() {}
