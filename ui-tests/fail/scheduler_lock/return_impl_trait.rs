//! The type of the result has no name, so it has no skip value.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m")]
async fn job() -> impl std::fmt::Display {
    1
}

fn main() {}
