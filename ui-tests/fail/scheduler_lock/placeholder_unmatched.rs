//! The name has a closing brace too many.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "sync-tenant}", at_most = "10m")]
async fn job() {}

fn main() {}
