//! The function is locked twice.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "outer", at_most = "1m")]
#[scheduler_lock(name = "inner", at_most = "1m")]
async fn job() {}

fn main() {}
