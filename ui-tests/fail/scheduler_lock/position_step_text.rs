//! A step is a number.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "10m", step = "two")]
async fn job() {}

fn main() {}
