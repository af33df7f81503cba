//! The error type does not take a lock's error.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m")]
async fn job() -> Result<(), std::fmt::Error> {
    Ok(())
}

fn main() {}
