//! The provider is a number.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "10m", provider = 5)]
async fn job() {}

fn main() {}
