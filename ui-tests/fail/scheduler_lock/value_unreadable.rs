//! A value is no expression; what follows it is checked all the same.

use shedlock::scheduler_lock;

#[scheduler_lock(name = =, at_most = "0s")]
async fn job() {}

fn main() {}
