//! Two providers have one name.

use shedlock::{InMemoryLockProvider, enable_scheduler_lock};

fn main() {
    let provider = InMemoryLockProvider::new();
    enable_scheduler_lock!(
        providers = { "reports" = provider.clone(), "reports" = provider },
        default_at_most = "10m",
    );
}
