//! The body is half typed: the compiler says so, and nothing else does.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m")]
async fn job() {
    let report = ;
}

fn main() {}
