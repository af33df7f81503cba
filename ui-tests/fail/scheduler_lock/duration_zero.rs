//! The lock would end at once.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "0s")]
async fn job() {}

fn main() {}
