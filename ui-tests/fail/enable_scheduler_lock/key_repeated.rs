//! A key is given twice.

use shedlock::{InMemoryLockProvider, enable_scheduler_lock};

fn main() {
    let provider = InMemoryLockProvider::new();
    enable_scheduler_lock!(
        provider = provider,
        default_at_most = "9m",
        default_at_most = "5m"
    );
}
