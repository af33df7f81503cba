//! The name uses a part of a destructured argument, which `#[async_trait]` has moved away.

use shedlock::scheduler_lock;

struct Job;

#[async_trait::async_trait]
trait Run {
    async fn run(&self, range: (u8, u8));
}

#[async_trait::async_trait]
impl Run for Job {
    #[scheduler_lock(name = "run-{from}", at_most = "10m")]
    async fn run(&self, (from, to): (u8, u8)) {
        assert!(from < to);
    }
}

fn main() {}
