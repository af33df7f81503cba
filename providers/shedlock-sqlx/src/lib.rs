//! Lock providers of [shedlock](https://docs.rs/shedlock) for PostgreSQL, MySQL, MariaDB and SQLite over [`sqlx`]. The page [`night`]
//! describes what happens while the database fails over, restarts or is busy; the page [`runs`], how each slot, instant and step is run once;
//! the page [`history`], what is kept of past runs.
//!
#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(all(feature = "mysql", feature = "postgres", feature = "sqlite")),
    allow(dead_code, reason = "some parts serve one database")
)]

mod connections;
mod database;
mod driver;
mod error;
#[cfg(feature = "mysql")]
mod mysql;
mod options;
#[cfg(feature = "postgres")]
mod postgres;
mod provider;
mod records;
#[cfg(feature = "sqlite")]
mod sqlite;
mod transaction;

#[cfg(doc)]
#[doc = include_str!("../docs/night.md")]
pub mod night {}

#[cfg(any(doc, all(doctest, feature = "postgres")))]
#[doc = include_str!("../docs/runs.md")]
pub mod runs {}

#[cfg(any(doc, all(doctest, feature = "postgres")))]
#[doc = include_str!("../docs/history.md")]
pub mod history {}

pub use database::SqlDatabase;
pub use shedlock_sql::{ColumnNames, LockClock, SchemaReport};
pub use sqlx;

#[cfg(feature = "mysql")]
pub use mysql::MySqlLockProvider;
pub use options::SqlxLockProviderBuilder;
#[cfg(feature = "postgres")]
pub use postgres::PostgresLockProvider;
pub use provider::SqlxLockProvider;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteLockProvider;
pub use transaction::{LockInTransaction, complete_in, fence_in};
