//! The name has an unclosed brace.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "sync-{tenant", at_most = "10m")]
async fn job(tenant: String) {
    drop(tenant);
}

fn main() {}
