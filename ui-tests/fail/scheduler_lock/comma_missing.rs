//! A comma is missing.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job" at_most = "10m")]
async fn job() {}

fn main() {}
