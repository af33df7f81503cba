//! What happens when the servers, the network or another program misbehaves.

mod beside;
mod connections;
mod leases;
mod login;
mod refusals;
mod servers;

use shedlock_etcd::EtcdLockProvider;
use shedlock_runtime::{
    ErrorKind, Lock, LockConfiguration, LockError, LockProviderExt as _, Ownership,
};
use shedlock_testkit::requests::{self, until};
use shedlock_testkit::servers::Etcd;

pub(crate) const KEY: &str = "shedlock:default:a";
pub(crate) const POSITION: &str = "shedlock-position:default:a";
pub(crate) const HOLDER: &str = "shedlock-holder:default:a";

pub(crate) fn node(url: &str) -> EtcdLockProvider {
    EtcdLockProvider::builder_from_url(url)
        .build()
        .expect("a valid URL")
}

pub(crate) fn config() -> LockConfiguration {
    requests::config("a")
}

pub(crate) async fn held(node: &EtcdLockProvider) -> Lock {
    let lock = node.try_lock(config()).await.expect("etcd answers");
    lock.expect("the lock is free")
}

pub(crate) async fn is_free(node: &EtcdLockProvider) -> bool {
    match node.try_lock(config()).await.expect("etcd answers") {
        Some(lock) => lock.unlock().await.expect("etcd answers") == Ownership::Ours,
        None => false,
    }
}

/// The lock becomes free: what nobody holds is given back in the background.
pub(crate) async fn must_become_free(node: &EtcdLockProvider) {
    until("no orphan lock stays", async || is_free(node).await).await;
}

/// What a call fails with.
pub(crate) async fn error(node: &EtcdLockProvider) -> LockError {
    match node.try_lock(config()).await {
        Ok(outcome) => panic!("the call must fail, and says {outcome:?}"),
        Err(error) => error,
    }
}

/// Whose the lease was, as an extension tells.
pub(crate) async fn extended(lock: &mut Lock) -> Ownership {
    match lock.extend("10m", "0s").await {
        Ok(()) => Ownership::Ours,
        Err(lost) if lost.kind() == ErrorKind::Lost => Ownership::Lost,
        Err(error) => panic!("an extension must be made or lost: {error:?}"),
    }
}

/// The value under a key; empty if there is none.
pub(crate) async fn value(server: &Etcd, key: &str) -> String {
    server.execute(&["get", key, "--print-value-only"]).await
}

/// Each lease ends, long before the time for which it was asked.
pub(crate) async fn must_have_no_leases(server: &Etcd) {
    let none = async || server.leases().await.is_empty();
    until("no lease is left behind", none).await;
}
