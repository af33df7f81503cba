//! The key is that of ShedLock for the JVM.

use shedlock::{InMemoryLockProvider, enable_scheduler_lock};

fn main() {
    let provider = InMemoryLockProvider::new();
    enable_scheduler_lock!(provider = provider, defaultLockAtMostFor = "10m");
}
