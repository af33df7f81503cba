//! What lies in the table is what other programs write and read, and all honour each other's locks.

#[path = "../support/place.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod place;

#[macro_use]
#[path = "../support/each_server.rs"]
mod each_server;

mod dynalock;
mod fleet;
mod jvm;
mod observed;
mod values;

use shedlock_dynamodb::DynamoDbLockProvider;
use shedlock_runtime::{Lock, LockConfiguration, LockProviderExt as _};

pub(crate) const JOB: &str = "nightly_report";
/// A JVM node writes the name of its host.
pub(crate) const HOST: &str = "app.example";

pub(crate) fn config(at_most: &str) -> LockConfiguration {
    LockConfiguration::new(JOB, at_most).expect("a legal configuration")
}

pub(crate) async fn try_lock(
    node: &DynamoDbLockProvider,
    config: LockConfiguration,
) -> Option<Lock> {
    node.try_lock(config).await.expect("the server answers")
}
