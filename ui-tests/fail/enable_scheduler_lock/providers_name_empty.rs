//! A provider's name is empty.

use shedlock::{InMemoryLockProvider, enable_scheduler_lock};

fn main() {
    let provider = InMemoryLockProvider::new();
    enable_scheduler_lock!(providers = { "" = provider }, default_at_most = "10m");
}
