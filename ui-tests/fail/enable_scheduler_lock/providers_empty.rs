//! The table of providers is empty.

use shedlock::{InMemoryLockProvider, enable_scheduler_lock};

fn main() {
    let provider = InMemoryLockProvider::new();
    drop(provider);
    enable_scheduler_lock!(providers = {}, default_at_most = "10m");
}
