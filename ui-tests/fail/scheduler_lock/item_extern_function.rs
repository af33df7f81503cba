//! The function has a foreign calling convention.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m")]
extern "C" fn job() {}

fn main() {}
