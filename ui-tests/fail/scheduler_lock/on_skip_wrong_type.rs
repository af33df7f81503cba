//! The value for a skipped call is of another type.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m", on_skip = "none")]
async fn job() -> u32 {
    1
}

fn main() {}
