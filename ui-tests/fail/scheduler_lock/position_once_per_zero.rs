//! There would be no slots.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "10m", once_per = "0s")]
async fn job() {}

fn main() {}
