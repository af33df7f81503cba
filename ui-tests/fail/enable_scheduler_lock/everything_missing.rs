//! There are no arguments at all.

use shedlock::{InMemoryLockProvider, enable_scheduler_lock};

fn main() {
    let provider = InMemoryLockProvider::new();
    enable_scheduler_lock!();
}
