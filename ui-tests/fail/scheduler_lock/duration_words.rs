//! A duration is given in words.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "ten minutes")]
async fn job() {}

fn main() {}
