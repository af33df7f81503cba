//! A default cannot be read.

use shedlock::{InMemoryLockProvider, enable_scheduler_lock};

fn main() {
    let provider = InMemoryLockProvider::new();
    enable_scheduler_lock!(
        provider = provider,
        default_at_most = "10 minuts",
        default_at_least = 5s,
    );
}
