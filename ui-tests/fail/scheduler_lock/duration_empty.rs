//! A duration is empty.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "")]
async fn job() {}

fn main() {}
