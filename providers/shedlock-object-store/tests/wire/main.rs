//! What lies in the bucket is what JVM nodes write and read, and both sides honour each other's locks.

mod fuzz;
mod nodes;
mod objects;
mod peer;
#[path = "../support/place.rs"]
mod place;
#[path = "../support/stand_in.rs"]
mod stand_in;

use std::time::{Duration, SystemTime};

use shedlock_object_store::ObjectStoreLockProvider;
use shedlock_runtime::{Lock, LockConfiguration, LockProviderExt as _};

const JOB: &str = "nightly_report";
const MINUTE: Duration = Duration::from_secs(60);

fn config(at_most: &str) -> LockConfiguration {
    LockConfiguration::new(JOB, at_most).expect("a legal configuration")
}

async fn try_lock(provider: &ObjectStoreLockProvider, config: LockConfiguration) -> Option<Lock> {
    provider.try_lock(config).await.expect("the store answers")
}

/// A time as `Instant.toString()` of Java writes it: a whole second has no digits behind it.
fn instant(time: SystemTime) -> String {
    let text = shedlock_runtime::format_timestamp(time);
    text.replace(".000Z", "Z")
}

fn in_a(duration: Duration) -> SystemTime {
    SystemTime::now() + duration
}
