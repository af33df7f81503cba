//! The item is a struct.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m")]
struct Job;

fn main() {}
