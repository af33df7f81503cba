//! The path of the facade stands in quotes.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m", crate = "::shedlock")]
async fn job() {}

fn main() {}
