//! The item is an `impl` block.

use shedlock::scheduler_lock;

struct Job;

#[scheduler_lock(name = "job", at_most = "1m")]
impl Job {
    async fn run(&self) {}
}

fn main() {}
