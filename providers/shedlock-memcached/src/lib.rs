//! A provider of [shedlock](https://docs.rs/shedlock) for Memcached. **Memcached loses locks that are held**: see the section about
//! guarantees. The page [`night`] describes what happens to locks while the server is away, full or restarted.
//!
#![doc = include_str!("../README.md")]

mod change;
mod check;
mod error;
mod held;
mod keys;
mod link;
mod options;
mod provider;
mod records;
mod server;
mod ttl;

#[cfg(doc)]
#[doc = include_str!("../docs/night.md")]
pub mod night {}

pub use check::StoreReport;
pub use options::MemcachedLockProviderBuilder;
pub use provider::MemcachedLockProvider;
