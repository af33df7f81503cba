//! A provider of [shedlock](https://docs.rs/shedlock) for S3, Google Cloud Storage and Azure Blob Storage over [`object_store`]. The page
//! [`night`] describes what happens to locks while the store is slow, away or loses a reply.
//!
#![doc = include_str!("../README.md")]

mod ask;
mod connect;
mod error;
mod keys;
mod options;
mod probe;
mod protocol;
mod provider;
mod record;
mod store;

#[cfg(doc)]
#[doc = include_str!("../docs/night.md")]
pub mod night {}

pub use object_store;
pub use options::ObjectStoreLockProviderBuilder;
pub use probe::StoreReport;
pub use protocol::{Bucket, Protocol};
pub use provider::ObjectStoreLockProvider;
