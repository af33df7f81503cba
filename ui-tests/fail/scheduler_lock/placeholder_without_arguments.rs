//! The name uses an argument, and the function takes none.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "sync-{tenant}", at_most = "10m")]
async fn job() {}

fn main() {}
