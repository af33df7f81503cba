//! Every form of the assertion.

use shedlock::lock_assert;

/// A place for a name.
#[derive(Debug)]
pub struct Job {
    region: String,
}

impl Job {
    /// Any lock; a name; names that are formatted or computed.
    pub fn check(&self, tenant: &str) {
        lock_assert!();
        lock_assert!("nightly_report");
        lock_assert!("sync-{tenant}");
        lock_assert!("run-{self.region}");
        lock_assert!(tenant);
        lock_assert!(&self.region);
        lock_assert!(format!("sync-{tenant}"),);
        lock_assert!("nightly_report", crate = ::shedlock);
    }
}
