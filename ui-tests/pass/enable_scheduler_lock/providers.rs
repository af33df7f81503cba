//! One provider, several, and both.

use shedlock::{InMemoryLockProvider, enable_scheduler_lock};
use std::time::Duration;

/// The usual case.
pub fn one() {
    let provider = InMemoryLockProvider::new();
    enable_scheduler_lock!(
        provider = provider,
        default_at_most = "10m",
        default_at_least = "0s"
    );
}

/// Named ones, in another order, by expressions.
pub fn named(lease: Duration) {
    enable_scheduler_lock!(
        default_at_least = Duration::ZERO,
        providers = {
            "reports" = InMemoryLockProvider::new(),
            "mails" = InMemoryLockProvider::new(),
        },
        default_at_most = lease,
    );
}

/// Both, through another path.
pub fn both() {
    enable_scheduler_lock!(
        provider = InMemoryLockProvider::new(),
        providers = { "reports" = InMemoryLockProvider::new() },
        default_at_most = "PT10M",
        default_timeout = "30s",
        crate = ::shedlock
    );
}
