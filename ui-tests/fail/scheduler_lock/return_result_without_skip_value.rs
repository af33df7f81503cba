//! The value in the `Result` has no value for a skipped call.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m")]
async fn job() -> Result<u32, shedlock::LockError> {
    Ok(1)
}

fn main() {}
