//! What happens when ZooKeeper, its ensemble or the network misbehaves.

mod connections;
mod nodes;
#[path = "../support/place.rs"]
mod place;
mod servers;

use std::time::{Duration, Instant};

use shedlock_runtime::{Lock, LockError, LockProviderExt as _};
use shedlock_testkit::requests::{PATIENCE, config};
use shedlock_zookeeper::ZooKeeperLockProvider;
use tokio::time::sleep;

pub(crate) async fn taken(provider: &ZooKeeperLockProvider, name: &str) -> Lock {
    let lock = provider.try_lock(config(name)).await;
    lock.expect("ZooKeeper answers").expect("is free")
}

/// Asks until there is an answer, as a scheduler does.
pub(crate) async fn until_answered(provider: &ZooKeeperLockProvider, name: &str) -> Option<Lock> {
    let start = Instant::now();
    loop {
        match provider.try_lock(config(name)).await {
            Ok(answer) => return answer,
            Err(error) => assert!(start.elapsed() < PATIENCE, "{error:?}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) async fn problem(provider: &ZooKeeperLockProvider) -> LockError {
    let asked = provider.try_lock(config("mail")).await;
    asked.expect_err("the lock cannot be taken")
}
