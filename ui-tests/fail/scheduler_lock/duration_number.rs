//! A duration is a number without quotes.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = 600000)]
async fn job() {}

fn main() {}
