//! The method has no body.

use shedlock::scheduler_lock;

trait Job {
    #[scheduler_lock(name = "job", at_most = "1m")]
    async fn run(&self);
}

fn main() {}
