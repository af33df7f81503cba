//! What once broke the seams: clocks that are set, notes and identities that are shared, limits that were passed by.

use std::time::Duration;

use shedlock_runtime::LockConfiguration;

mod record_stores;
mod wrapped;

const SECOND: Duration = Duration::from_secs(1);

fn config(name: &str, at_most: &str) -> LockConfiguration {
    LockConfiguration::new(name, at_most).unwrap()
}
