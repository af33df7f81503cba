//! A type error in the body points at the body.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m")]
async fn job() -> Option<String> {
    Some(5)
}

fn main() {}
