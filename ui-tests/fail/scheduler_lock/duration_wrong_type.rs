//! A duration is an expression of another type.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = seconds)]
async fn job(seconds: u64) {}

fn main() {}
