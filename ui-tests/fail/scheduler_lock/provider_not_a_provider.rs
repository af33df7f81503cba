//! The provider is an expression of another type.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m", provider = number)]
async fn job(number: u32) {}

fn main() {}
