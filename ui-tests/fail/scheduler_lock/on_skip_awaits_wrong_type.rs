//! What is awaited has another type than the function returns.

use shedlock::scheduler_lock;

async fn note() -> &'static str {
    "none"
}

#[scheduler_lock(name = "job", at_most = "1m", on_skip = note().await)]
async fn job() -> u32 {
    1
}

fn main() {}
