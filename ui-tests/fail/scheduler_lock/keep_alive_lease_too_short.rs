//! The lease would be over before a failed extension could be tried again.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "299ms", keep_alive)]
async fn job() {}

#[scheduler_lock(name = "job", at_most = "200ms", keep_alive = "100ms")]
async fn job_with_a_period() {}

fn main() {}
