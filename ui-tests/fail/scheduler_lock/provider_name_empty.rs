//! The provider's name is empty.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "10m", provider = "")]
async fn job() {}

fn main() {}
