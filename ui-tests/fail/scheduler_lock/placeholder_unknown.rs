//! The name uses an argument that is spelled otherwise.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "sync-{tenat}", at_most = "10m")]
async fn job(tenant: String) {
    drop(tenant);
}

fn main() {}
