//! A transaction of the user.

use std::future::Future;

use shedlock_runtime::LockError;

use crate::dialect::Dialect;
use crate::driver::BoundStatement;
use crate::fault::Fault;
use crate::names::Names;

/// A transaction of the user, in which a statement about a held lock runs.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::LockError;
/// use shedlock_sql::{BoundStatement, Dialect, Fault, Names, UserTransaction, explain};
///
/// /// A transaction in a database that has no row of any lock.
/// struct Elsewhere;
///
/// impl UserTransaction for Elsewhere {
///     type Error = std::io::Error;
///     const DIALECT: Dialect = Dialect::Postgres;
///
///     async fn count(&mut self, _statement: &BoundStatement<'_>) -> Result<u64, std::io::Error> {
///         Ok(0)
///     }
///     async fn execute(&mut self, _statement: &BoundStatement<'_>) -> Result<u64, std::io::Error> {
///         Ok(0)
///     }
///     async fn run(&mut self, _text: &'static str) -> Result<(), std::io::Error> {
///         Ok(())
///     }
///     fn fault(_error: &std::io::Error) -> Option<Fault> {
///         None
///     }
///     fn failed(_names: &Names, error: std::io::Error) -> LockError {
///         explain::broken().with_source(error)
///     }
/// }
/// ```
pub trait UserTransaction: Send {
    /// The error of a failed statement.
    type Error: Send;

    /// The SQL dialect of the server.
    const DIALECT: Dialect;

    /// Runs a query, unprepared and in one message where the protocol allows that, and returns the number of its rows.
    fn count(
        &mut self,
        statement: &BoundStatement<'_>,
    ) -> impl Future<Output = Result<u64, Self::Error>> + Send;

    /// Runs a statement in the same way, and returns how many rows its condition matched.
    fn execute(
        &mut self,
        statement: &BoundStatement<'_>,
    ) -> impl Future<Output = Result<u64, Self::Error>> + Send;

    /// Runs an SQL text without values.
    fn run(&mut self, text: &'static str) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// The meaning of `error`, if the database itself reported it.
    fn fault(error: &Self::Error) -> Option<Fault>;

    /// Converts the error of a failed statement.
    fn failed(names: &Names, error: Self::Error) -> LockError;
}

/// Undoes the work of a transaction, so that a program which ignores the error does not commit that work.
pub(super) async fn undo<T: UserTransaction>(transaction: &mut T) {
    let texts: &[&str] = match T::DIALECT {
        // An error aborts the transaction: each later statement fails, and a commit rolls back.
        Dialect::Postgres => &["SELECT 1 / 0"],
        // The driver goes on to believe in the transaction, so it gets another one, which cannot write.
        Dialect::MySql => &["ROLLBACK", "START TRANSACTION READ ONLY"],
        // SQLite has no transaction that cannot write.
        Dialect::Sqlite => &["ROLLBACK", "BEGIN"],
    };
    for text in texts {
        // PostgreSQL's answer is an error, which aborts the transaction. A connection that breaks commits nothing either.
        drop(transaction.run(text).await);
    }
}
