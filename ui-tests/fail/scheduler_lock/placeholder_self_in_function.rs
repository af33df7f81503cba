//! The name uses `self` outside a method.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "sync-{self.region}", at_most = "10m")]
async fn job(region: String) {
    drop(region);
}

fn main() {}
