//! The function never returns.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m")]
async fn job() -> ! {
    loop {}
}

fn main() {}
