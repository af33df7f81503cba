//! A provider of [shedlock](https://docs.rs/shedlock) for NATS JetStream key-value buckets over [`async_nats`]. The page [`night`]
//! describes what happens to locks while NATS fails over, restarts or is down.
//!
#![doc = include_str!("../README.md")]

mod bucket;
mod client;
mod connection;
mod entry;
mod error;
mod options;
mod provider;
mod store;
mod tls;

#[cfg(doc)]
#[doc = include_str!("../docs/night.md")]
pub mod night {}

pub use async_nats;
pub use bucket::BucketReport;
pub use options::NatsLockProviderBuilder;
pub use provider::NatsLockProvider;
