//! A provider of [shedlock](https://docs.rs/shedlock) for PostgreSQL over [`tokio_postgres`]. The page [`night`] describes what happens
//! while the database fails over, restarts or is busy.
//!
#![doc = include_str!("../README.md")]

mod answer;
mod connections;
mod driver;
mod error;
mod options;
mod provider;
mod records;
mod servers;
mod session;
mod source;
mod tls;
mod transaction;
mod values;

#[cfg(doc)]
#[doc = include_str!("../docs/night.md")]
pub mod night {}

pub use shedlock_sql::{ColumnNames, LockClock, SchemaReport};

#[cfg(feature = "deadpool")]
pub use deadpool_postgres;
pub use options::PostgresLockProviderBuilder;
pub use provider::PostgresLockProvider;
pub use source::PostgresSource;
pub use tokio_postgres;
pub use transaction::{LockInTransaction, complete_in, fence_in};
