//! What lies in the table is what other programs write and read, and all honour each other's locks.

#[path = "../support/place.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod place;

mod dynalock;
mod fleet;
mod jvm;
mod values;

use shedlock_dynamodb::DynamoDbLockProvider;
use shedlock_runtime::{Lock, LockConfiguration, LockProviderExt as _};

pub(crate) const JOB: &str = "nightly_report";
/// A JVM node writes the name of its host.
pub(crate) const HOST: &str = "app.example";

/// The places of a test, one on each server, or the skip of the whole test.
macro_rules! places {
    () => {{
        let mut places = Vec::new();
        for which in [crate::place::Which::Dynoxide, crate::place::Which::Dynalite] {
            places.push(shedlock_testkit::server_or_skip!(
                crate::place::Place::new(which).await
            ));
        }
        places
    }};
}
pub(crate) use places;

pub(crate) fn config(at_most: &str) -> LockConfiguration {
    LockConfiguration::new(JOB, at_most).expect("a legal configuration")
}

pub(crate) async fn try_lock(
    node: &DynamoDbLockProvider,
    config: LockConfiguration,
) -> Option<Lock> {
    node.try_lock(config).await.expect("the server answers")
}
