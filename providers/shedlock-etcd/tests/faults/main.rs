//! What happens when the servers, the network or another program misbehaves.

mod beside;
mod connections;
mod leases;
mod login;
mod refusals;
mod servers;

use shedlock_etcd::EtcdLockProvider;
use shedlock_runtime::LockConfiguration;
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

/// The value under a key; empty if there is none.
pub(crate) async fn value(server: &Etcd, key: &str) -> String {
    server.execute(&["get", key, "--print-value-only"]).await
}

/// Each lease ends, long before the time for which it was asked.
pub(crate) async fn must_have_no_leases(server: &Etcd) {
    let none = async || server.leases().await.is_empty();
    until("no lease is left behind", none).await;
}
