//! Two keys say which run this is.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "10m", once_per = "1h", instant = std::time::SystemTime::now())]
async fn job() {}

fn main() {}
