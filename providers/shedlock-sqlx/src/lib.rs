//! [ShedLock](https://docs.rs/shedlock) providers for PostgreSQL, MySQL, MariaDB and SQLite over [`sqlx`].
//!
//! Switch on the feature of your database: `postgres`, `mysql` or `sqlite`.
#![doc = include_str!("../README.md")]

mod connections;
mod error;
mod options;
mod provider;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

pub use shedlock_sql::{ColumnNames, LockClock};
pub use sqlx;

pub use options::SqlxLockProviderBuilder;
pub use provider::SqlxLockProvider;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteLockProvider;
pub use store::Store;
