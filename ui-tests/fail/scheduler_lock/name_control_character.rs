//! The name contains a line break.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "nightly\nreport", at_most = "10m")]
async fn job() {}

fn main() {}
