//! A duration is a float.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = 1.5)]
async fn job() {}

fn main() {}
