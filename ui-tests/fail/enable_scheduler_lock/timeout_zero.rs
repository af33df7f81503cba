//! No store answers in no time.

use shedlock::{InMemoryLockProvider, enable_scheduler_lock};

fn main() {
    let provider = InMemoryLockProvider::new();
    enable_scheduler_lock!(provider = provider, default_at_most = "10m", default_timeout = "0s");
}
