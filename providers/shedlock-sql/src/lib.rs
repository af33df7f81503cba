//! Locks in a database table, for [ShedLock for Rust](https://docs.rs/shedlock), over any SQL driver: the statements, the meaning of their
//! answers and of the servers' error codes, and the rules for retries.
//!
//! Programs use a provider crate such as `shedlock-sqlx`. Authors of a provider over another SQL driver implement [`Driver`] and
//! [`Connection`], and delegate each method of [`LockProvider`](shedlock_runtime::LockProvider) to [`SqlLocks`].

mod answers;
mod dialect;
mod driver;
pub mod explain;
mod fault;
mod locks;
mod names;
mod schema;
mod statements;
pub mod url;

pub use dialect::Dialect;
pub use driver::{BoundStatement, Connection, Done, Driver, NoConnection, Reach, Replaced, Row};
pub use fault::{Cure, Fault};
pub use locks::{HeldRow, SqlLocks, SqlOptions, UserTransaction};
pub use names::{ColumnNames, DEFAULT_HISTORY_TABLE, DEFAULT_TABLE, Names};
pub use schema::SchemaReport;
pub use statements::{
    AdminStatements, LockClock, Param, PositionKind, RunValues, Sending, Session, Statement,
    Statements, TokenColumn, Value, Values, lease_micros,
};
