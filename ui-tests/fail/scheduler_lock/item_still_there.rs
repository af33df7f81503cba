//! The function can be called in spite of the mistake: no second error follows.

use shedlock::scheduler_lock;

#[scheduler_lock(at_most = "1m")]
async fn job(count: u32) -> u32 {
    count
}

async fn caller() -> u32 {
    job(1).await
}

fn main() {}
