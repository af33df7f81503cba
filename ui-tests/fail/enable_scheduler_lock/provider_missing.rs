//! There is no provider.

use shedlock::{InMemoryLockProvider, enable_scheduler_lock};

fn main() {
    let provider = InMemoryLockProvider::new();
    drop(provider);
    enable_scheduler_lock!(default_at_most = "10m");
}
