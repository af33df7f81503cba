//! A provider of [shedlock](https://docs.rs/shedlock) for Redis and Valkey.
//!
#![doc = include_str!("../README.md")]

mod check;
mod cluster;
mod connection;
mod error;
mod keys;
mod options;
mod position;
mod provider;
mod records;
mod script;
mod sentinels;
mod servers;
mod url;

pub use check::StoreReport;
pub use options::RedisLockProviderBuilder;
pub use provider::RedisLockProvider;
pub use redis;
