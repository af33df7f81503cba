//! The name is an expression that gives no string.

use shedlock::scheduler_lock;

#[scheduler_lock(name = number, at_most = "10m")]
async fn job(number: u32) {}

fn main() {}
