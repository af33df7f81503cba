//! The path of the facade is relative to a module.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m", crate = super::shedlock)]
async fn job() {}

fn main() {}
