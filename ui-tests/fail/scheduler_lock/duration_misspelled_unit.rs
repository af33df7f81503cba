//! A unit is misspelled.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "10 minuts")]
async fn job() {}

fn main() {}
