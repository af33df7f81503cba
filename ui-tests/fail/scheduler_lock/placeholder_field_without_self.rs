//! The name names a field of `self` by itself.

use shedlock::scheduler_lock;

struct Job {
    region: String,
}

impl Job {
    #[scheduler_lock(name = "sync-{region}", at_most = "10m")]
    async fn job(&self) {
        drop(self.region.clone());
    }
}

fn main() {}
