//! An ISO-8601 duration counts months where minutes are meant.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "P10M")]
async fn job() {}

fn main() {}
