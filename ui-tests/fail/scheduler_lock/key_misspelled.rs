//! Keys are misspelled.

use shedlock::scheduler_lock;

#[scheduler_lock(nam = "job", at_mosst = "10m")]
async fn job() {}

fn main() {}
