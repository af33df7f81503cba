//! A provider's name has no quotes.

use shedlock::{InMemoryLockProvider, enable_scheduler_lock};

fn main() {
    let provider = InMemoryLockProvider::new();
    enable_scheduler_lock!(providers = { reports = provider }, default_at_most = "10m");
}
