//! A duration has a blank before it.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = " 10m")]
async fn job() {}

fn main() {}
