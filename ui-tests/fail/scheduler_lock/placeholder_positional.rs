//! The name has a positional placeholder.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "sync-{}-{0}", at_most = "10m")]
async fn job(tenant: String) {
    drop(tenant);
}

fn main() {}
