//! The SQL of [ShedLock for Rust](https://docs.rs/shedlock): statements, table definitions and what a server's error codes
//! mean, per dialect and without a driver.
//!
//! Programs use a provider crate such as `shedlock-sqlx`. Authors of a provider over another SQL driver start here: check
//! the names once with [`Names::new`], build the [`Statements`] once, bind [`Statement::params`] in their order.

mod answers;
mod dialect;
mod fault;
mod names;
mod schema;
mod statements;

pub use answers::mysql::{MySqlAcquired, MySqlPaused};
pub use dialect::Dialect;
pub use fault::{Cure, Fault};
pub use names::{ColumnNames, DEFAULT_TABLE, Names};
pub use schema::{Description, Inspection, SchemaReport};
pub use statements::{
    AdminStatements, LockClock, Param, Sending, Session, Statement, Statements, TokenColumn,
    Values, lease_micros,
};
