//! What happens when NATS, its cluster or the network misbehaves.

mod buckets;
mod connections;
#[path = "../support/place.rs"]
mod place;
mod refusals;
mod servers;

use std::time::{Duration, Instant};

use shedlock_nats::NatsLockProvider;
use shedlock_runtime::{Lock, LockConfiguration, LockError, LockProviderExt as _};
use tokio::time::sleep;

/// What hangs longer than this hangs for ever.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn config(name: &str) -> LockConfiguration {
    LockConfiguration::new(name, "10m").expect("a legal configuration")
}

pub(crate) async fn taken(provider: &NatsLockProvider, name: &str) -> Lock {
    let lock = provider.try_lock(config(name)).await;
    lock.expect("NATS answers").expect("is free")
}

/// Asks until there is an answer, as a scheduler does.
pub(crate) async fn until_answered(provider: &NatsLockProvider, name: &str) -> Option<Lock> {
    let start = Instant::now();
    loop {
        match provider.try_lock(config(name)).await {
            Ok(answer) => return answer,
            Err(error) => assert!(start.elapsed() < PATIENCE, "{error:?}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) async fn problem(provider: &NatsLockProvider) -> LockError {
    let asked = provider.try_lock(config("mail")).await;
    asked.expect_err("the lock cannot be taken")
}
