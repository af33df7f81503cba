//! The function is not async.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m")]
fn job() {}

fn main() {}
