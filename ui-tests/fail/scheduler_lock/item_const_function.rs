//! The function is const.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m")]
const fn job() {}

fn main() {}
