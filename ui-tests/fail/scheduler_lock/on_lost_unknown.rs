//! There is no such choice.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m", on_lost = "cancle")]
async fn job() {}

fn main() {}
