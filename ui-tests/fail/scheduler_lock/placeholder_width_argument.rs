//! The name takes a width from an argument.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "sync-{shard:width$}", at_most = "10m")]
async fn job(shard: u32, width: usize) {
    assert!(width > shard as usize);
}

fn main() {}
