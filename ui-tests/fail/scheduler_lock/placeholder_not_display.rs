//! The name formats an argument that cannot be displayed.

use shedlock::scheduler_lock;

struct Tenant;

#[scheduler_lock(name = "sync-{tenant}", at_most = "10m")]
async fn job(tenant: Tenant) {
    drop(tenant);
}

fn main() {}
