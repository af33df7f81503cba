//! The keys are those of ShedLock for the JVM.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", lockAtMostFor = "10m", lock_at_least_for = "PT1M")]
async fn job() {}

fn main() {}
