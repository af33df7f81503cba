//! A provider of [shedlock](https://docs.rs/shedlock) for etcd. The page [`night`] describes what happens to locks while etcd fails over,
//! restarts or is down.
//!
#![doc = include_str!("../README.md")]

mod acquire;
mod change;
mod error;
mod gateway;
mod keys;
mod login;
mod messages;
mod options;
mod position;
mod provider;
mod records;
mod store;
mod transaction;

#[cfg(doc)]
#[doc = include_str!("../docs/night.md")]
pub mod night {}

pub use options::EtcdLockProviderBuilder;
pub use provider::EtcdLockProvider;
pub use reqwest;
