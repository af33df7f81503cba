//! A type error in an early return points at it.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m")]
async fn job(stop: bool) -> Option<String> {
    if stop {
        return 5;
    }
    None
}

fn main() {}
