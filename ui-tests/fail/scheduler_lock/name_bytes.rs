//! The name is a byte string.

use shedlock::scheduler_lock;

#[scheduler_lock(name = b"job", at_most = "10m")]
async fn job() {}

fn main() {}
