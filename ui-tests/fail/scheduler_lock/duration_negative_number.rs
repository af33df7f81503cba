//! A duration is a negative number.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = -5)]
async fn job() {}

fn main() {}
