//! A provider of [shedlock](https://docs.rs/shedlock) for Apache ZooKeeper over [`zookeeper_client`]. The page [`night`] describes what
//! happens to locks while ZooKeeper fails over, restarts or is down.
//!
#![doc = include_str!("../README.md")]

mod connection;
mod entry;
mod error;
mod options;
mod paths;
mod provider;
mod store;
mod swap;
mod transaction;
mod tree;

#[cfg(doc)]
#[doc = include_str!("../docs/night.md")]
pub mod night {}

pub use options::ZooKeeperLockProviderBuilder;
pub use provider::ZooKeeperLockProvider;
pub use zookeeper_client;
