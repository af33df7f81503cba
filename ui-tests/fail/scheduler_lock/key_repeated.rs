//! A key is given twice.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "10m", name = "other")]
async fn job() {}

fn main() {}
