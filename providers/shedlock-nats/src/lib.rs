//! Provider of [shedlock](https://docs.rs/shedlock) for NATS JetStream key-value buckets over [`async_nats`]. What happens while NATS
//! fails over, restarts or is away is on a page of its own: [`night`].
//!
#![doc = include_str!("../README.md")]

mod bucket;
mod connection;
mod error;
mod options;
mod provider;
mod store;

#[cfg(doc)]
#[doc = include_str!("../docs/night.md")]
pub mod night {}

pub use async_nats;
pub use bucket::BucketReport;
pub use options::NatsLockProviderBuilder;
pub use provider::NatsLockProvider;
