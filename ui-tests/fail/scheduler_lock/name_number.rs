//! The name is a number.

use shedlock::scheduler_lock;

#[scheduler_lock(name = 5, at_most = "10m")]
async fn job() {}

fn main() {}
