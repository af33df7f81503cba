//! There is no default for `at_most`.

use shedlock::{InMemoryLockProvider, enable_scheduler_lock};

fn main() {
    let provider = InMemoryLockProvider::new();
    enable_scheduler_lock!(provider = provider);
}
