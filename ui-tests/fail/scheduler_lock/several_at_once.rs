//! Several mistakes are reported together.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "", at_most = "10 minuts", at_leest = "1m", on_lost = "explode")]
async fn job() {}

fn main() {}
