//! The item is a module.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m")]
mod jobs {}

fn main() {}
