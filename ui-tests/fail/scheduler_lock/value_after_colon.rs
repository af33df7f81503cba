//! A colon stands for the equals sign.

use shedlock::scheduler_lock;

#[scheduler_lock(name: "job", at_most = "10m")]
async fn job() {}

fn main() {}
