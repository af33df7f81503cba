//! The name contains a NUL.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "nightly\0report", at_most = "10m")]
async fn job() {}

fn main() {}
