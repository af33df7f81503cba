//! What happens when the store or the network misbehaves.

mod connections;
#[path = "../support/place.rs"]
mod place;
mod probe;
mod refusals;
mod servers;
#[path = "../support/stand_in.rs"]
mod stand_in;

use shedlock_object_store::ObjectStoreLockProvider;
use shedlock_runtime::{Lock, LockError, LockProviderExt as _};
use shedlock_testkit::requests::config;

async fn taken(provider: &ObjectStoreLockProvider, name: &str) -> Lock {
    let lock = provider.try_lock(config(name)).await;
    lock.expect("the store answers").expect("is free")
}

async fn problem(provider: &ObjectStoreLockProvider) -> LockError {
    let asked = provider.try_lock(config("mail")).await;
    asked.expect_err("the lock cannot be taken")
}
