//! The name has an expression in a placeholder.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "sync-{tenant.id()}", at_most = "10m")]
async fn job(tenant: String) {
    drop(tenant);
}

fn main() {}
