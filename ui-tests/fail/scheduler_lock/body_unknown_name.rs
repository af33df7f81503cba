//! The body cannot see what the expansion names.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m")]
async fn job() {
    drop(job_name);
    drop(value);
}

fn main() {}
