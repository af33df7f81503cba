//! No store answers in no time, nor in less than a millisecond.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m", timeout = "0s")]
async fn job() {}

#[scheduler_lock(name = "job", at_most = "1m", timeout = "10us")]
async fn hurried() {}

fn main() {}
