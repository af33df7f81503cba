//! The key is that of the attribute.

use shedlock::{InMemoryLockProvider, enable_scheduler_lock};

fn main() {
    let provider = InMemoryLockProvider::new();
    enable_scheduler_lock!(provider = provider, default_at_most = "10m", timeout = "30s");
}
