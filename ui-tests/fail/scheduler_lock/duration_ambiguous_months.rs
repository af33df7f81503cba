//! A capital `M` could mean minutes or months.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1h 10M")]
async fn job() {}

fn main() {}
