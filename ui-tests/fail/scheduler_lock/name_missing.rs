//! The lock has no name.

use shedlock::scheduler_lock;

#[scheduler_lock(at_most = "10m")]
async fn job() {}

fn main() {}
