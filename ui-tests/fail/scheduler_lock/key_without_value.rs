//! A key has no value.

use shedlock::scheduler_lock;

#[scheduler_lock(name, at_most = "10m")]
async fn job() {}

fn main() {}
