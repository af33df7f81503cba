//! Leases that end by observation: no clock is compared with another, and no wrong time of day does harm.

#[path = "../support/place.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod place;

#[macro_use]
#[path = "../support/each_server.rs"]
mod each_server;

mod fleet;
mod operators;
mod takeovers;

use std::time::{Duration, Instant};

use shedlock_dynamodb::{DynamoDbLockProvider, DynamoDbLockProviderBuilder};
use shedlock_runtime::{
    Lock, LockConfiguration, LockProvider as _, LockProviderExt as _, Refusal, SkipReason,
};
use shedlock_testkit::conformance::WrongClock;

use place::Place;

pub(crate) const JOB: &str = "nightly_report";
/// Long enough for the calls that a test makes within it, on a busy machine.
pub(crate) const LEASE: Duration = Duration::from_secs(3);

pub(crate) fn config(at_most: Duration) -> LockConfiguration {
    LockConfiguration::new(JOB, at_most).expect("a legal configuration")
}

pub(crate) fn built(builder: DynamoDbLockProviderBuilder) -> DynamoDbLockProvider {
    builder.build().expect("the options are valid")
}

/// A node that ends leases by observation.
pub(crate) fn node(place: &Place) -> DynamoDbLockProvider {
    built(place.builder().expiry_by_observation())
}

/// Such a node, whose time of day is an hour ahead or behind.
pub(crate) fn wrong(place: &Place, ahead: bool) -> DynamoDbLockProvider {
    let builder = place.builder().time_source(WrongClock { ahead });
    built(builder.expiry_by_observation())
}

/// Asks once, as a scheduler does at a tick.
pub(crate) async fn ask(
    node: &DynamoDbLockProvider,
    config: LockConfiguration,
) -> Result<Lock, Refusal> {
    node.lock(config).await.expect("the server answers")
}

pub(crate) async fn taken(node: &DynamoDbLockProvider, at_most: Duration) -> Lock {
    let lock = ask(node, config(at_most)).await;
    lock.unwrap_or_else(|refusal| panic!("the lock is free: {refusal:?}"))
}

pub(crate) async fn refused(node: &DynamoDbLockProvider) -> Refusal {
    match ask(node, config(LEASE)).await {
        Ok(_) => panic!("the lock is held, and was granted to another"),
        Err(refusal) => {
            assert_eq!(refusal.reason, SkipReason::Held, "{refusal:?}");
            refusal
        }
    }
}

/// Takes the lock and lets the holder die: nothing releases the lock.
pub(crate) async fn dead(node: &DynamoDbLockProvider, at_most: Duration) {
    let mut lock = taken(node, at_most).await;
    lock.release_on_drop(false);
}

/// Asks until the lock is granted, which must not take much longer than `within`.
pub(crate) async fn taken_when_free(node: &DynamoDbLockProvider, within: Duration) -> Lock {
    let limit = Instant::now() + within + Duration::from_secs(20);
    loop {
        match ask(node, config(LEASE)).await {
            Ok(lock) => return lock,
            Err(refusal) => assert!(Instant::now() < limit, "{refusal:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The longest that a lease and its margin last after a node has seen it.
pub(crate) async fn until_ended(lease: Duration) {
    tokio::time::sleep(lease + lease / 1_000 + Duration::from_millis(5)).await;
}

/// The time of day of the node.
pub(crate) fn utc(node: &DynamoDbLockProvider) -> std::time::SystemTime {
    node.info().clock().utc()
}
