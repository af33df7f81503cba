//! There are no arguments at all.

use shedlock::scheduler_lock;

#[scheduler_lock]
async fn nightly_report() {}

fn main() {}
