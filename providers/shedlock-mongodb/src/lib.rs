//! A provider of [shedlock](https://docs.rs/shedlock) for MongoDB over the official driver, [`mongodb`]. The page [`night`] describes what
//! happens to locks while MongoDB fails over, restarts or is down.
//!
#![doc = include_str!("../README.md")]

mod connection;
mod document;
mod error;
mod fields;
mod options;
mod pipeline;
mod provider;
mod schema;
mod store;

#[cfg(doc)]
#[doc = include_str!("../docs/night.md")]
pub mod night {}

pub use mongodb;
pub use options::MongoLockProviderBuilder;
pub use provider::MongoLockProvider;
