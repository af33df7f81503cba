//! The name is given without its key.

use shedlock::scheduler_lock;

#[scheduler_lock("job", at_most = "10m")]
async fn job() {}

fn main() {}
