//! The name uses a constant that is spelled otherwise, and a const parameter of another `impl`.

use shedlock::scheduler_lock;

const SHARD: u8 = 1;

#[scheduler_lock(name = "shard-{SHARDS}", at_most = "10m")]
async fn constant() {}

struct Job<const N: usize>;

impl<const N: usize> Job<N> {
    #[scheduler_lock(name = "shard-{M}", at_most = "10m")]
    async fn parameter(&self) {}
}

fn main() {
    let _ = SHARD;
}
