//! The type has no value for a skipped call.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m")]
async fn job() -> u32 {
    1
}

fn main() {}
