//! The provider is a name.

use shedlock::{InMemoryLockProvider, enable_scheduler_lock};

fn main() {
    let provider = InMemoryLockProvider::new();
    drop(provider);
    enable_scheduler_lock!(provider = "reports", default_at_most = "10m");
}
