//! A duration with a unit has no quotes.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = 10m)]
async fn job() {}

fn main() {}
