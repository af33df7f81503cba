//! The value for a store error is of another type.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m", on_error = error)]
async fn job() -> Option<u32> {
    None
}

fn main() {}
