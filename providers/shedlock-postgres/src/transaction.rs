//! A held lock in a transaction of the user.

use std::fmt;

use async_trait::async_trait;
use shedlock_runtime::{Lock, LockError, lock};
use shedlock_sql::{BoundStatement, Dialect, Fault, HeldRow, Names, UserTransaction};
use tokio_postgres::Transaction;

use crate::answer::Answer;
use crate::error::Error;

/// Marks the run under the running task's lock as done, in the user's own transaction: the mark and the work are committed together, or
/// neither is. The lock is the one that the task took last, with `once_per`, `instant` or `step`.
///
/// The statement is on condition that the lease is live by the lock's clock and still belongs to this run. It locks the lock's row until the
/// transaction ends. So call the function last, right before the commit: until the transaction ends, no other node takes the lock, and the
/// lease cannot be extended either.
///
/// A transaction of deadpool-postgres can be passed too. Under `REPEATABLE READ` and `SERIALIZABLE`, an extension that was
/// committed after the transaction's snapshot makes the statement fail with a serialization error; [`fence_in`] as the first statement of the
/// transaction prevents that.
///
/// # Errors
///
/// - [`ErrorKind::Lost`](shedlock_runtime::ErrorKind::Lost) if the lease has ended or the lock was taken away.
/// - [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) if the transaction is in another database than the lock, if
///   the task holds no lock in a database, or if the lock was taken without `once_per`, `instant` and `step`.
/// - Otherwise the error of the database.
///
/// After the first error, and for a transaction in another database, the transaction is aborted: nothing of it is committed even if the
/// program ignores the error.
///
/// # Cancel safety
///
/// If the call is dropped, roll the transaction back.
///
/// # Examples
///
/// ```no_run
/// use shedlock_postgres::{complete_in, tokio_postgres::Client};
///
/// // #[scheduler_lock(name = "payout", at_most = "5m", once_per = "1d")]
/// async fn payout(client: &mut Client) -> Result<(), Box<dyn std::error::Error>> {
///     let mut transaction = client.transaction().await?;
///     transaction.execute("UPDATE accounts SET balance = balance + 1", &[]).await?;
///     complete_in(&mut transaction).await?;
///     transaction.commit().await?;
///     Ok(())
/// }
/// ```
pub async fn complete_in(transaction: &mut Transaction<'_>) -> Result<(), LockError> {
    let row = lock::noted::<HeldRow>().ok_or_else(HeldRow::missing)?;
    row.complete_in(&mut Within(transaction)).await
}

/// Checks in the user's own transaction that the running task's lock is still its own: a task that has lost its lock cannot commit.
///
/// The lock is the one that the task took last. The row of the lock stays locked until the transaction ends, with the consequences that are
/// described at [`complete_in`].
///
/// # Errors
///
/// As [`complete_in`], but for locks without `once_per`, `instant` and `step`, which can be checked too.
///
/// # Cancel safety
///
/// If the call is dropped, roll the transaction back.
///
/// # Examples
///
/// ```no_run
/// use shedlock_postgres::{fence_in, tokio_postgres::Client};
///
/// // #[scheduler_lock(name = "stock_report", at_most = "5m")]
/// async fn stock_report(client: &mut Client) -> Result<(), Box<dyn std::error::Error>> {
///     let mut transaction = client.transaction().await?;
///     fence_in(&mut transaction).await?;
///     transaction.execute("DELETE FROM report", &[]).await?;
///     transaction.commit().await?;
///     Ok(())
/// }
/// ```
pub async fn fence_in(transaction: &mut Transaction<'_>) -> Result<(), LockError> {
    let row = lock::noted::<HeldRow>().ok_or_else(HeldRow::missing)?;
    row.fence_in(&mut Within(transaction)).await
}

/// [`complete_in`] and [`fence_in`] for a guard.
///
/// # Examples
///
/// ```no_run
/// use shedlock_postgres::{LockInTransaction as _, PostgresLockProvider, tokio_postgres::Client};
/// use shedlock_runtime::{LockConfiguration, LockProviderExt as _};
///
/// async fn charge(provider: &PostgresLockProvider, client: &mut Client, order: u64) -> Result<(), Box<dyn std::error::Error>> {
///     let step = LockConfiguration::new(format!("order-{order}"), "5m")?.with_step(1)?;
///     if let Some(lock) = provider.try_lock(step).await? {
///         let mut transaction = client.transaction().await?;
///         transaction.execute("UPDATE accounts SET balance = balance - 1", &[]).await?;
///         lock.complete_in(&mut transaction).await?;
///         transaction.commit().await?;
///     }
///     Ok(())
/// }
/// ```
#[async_trait]
pub trait LockInTransaction {
    /// As the function [`complete_in`], for this lock.
    ///
    /// # Errors
    ///
    /// As [`complete_in`].
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, roll the transaction back.
    async fn complete_in(&self, transaction: &mut Transaction<'_>) -> Result<(), LockError>;

    /// As the function [`fence_in`], for this lock.
    ///
    /// # Errors
    ///
    /// As [`fence_in`].
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, roll the transaction back.
    async fn fence_in(&self, transaction: &mut Transaction<'_>) -> Result<(), LockError>;
}

#[async_trait]
impl LockInTransaction for Lock {
    async fn complete_in(&self, transaction: &mut Transaction<'_>) -> Result<(), LockError> {
        let row = self.noted::<HeldRow>().ok_or_else(HeldRow::missing)?;
        row.complete_in(&mut Within(transaction)).await
    }

    async fn fence_in(&self, transaction: &mut Transaction<'_>) -> Result<(), LockError> {
        let row = self.noted::<HeldRow>().ok_or_else(HeldRow::missing)?;
        row.fence_in(&mut Within(transaction)).await
    }
}

/// The user's transaction, as `shedlock-sql` sees it.
struct Within<'t, 'c>(&'t mut Transaction<'c>);

impl Within<'_, '_> {
    async fn send(&self, bound: &BoundStatement<'_>) -> Result<(Vec<Answer>, u64), Error> {
        let text = bound.statement.with_postgres_literals(bound.values);
        let messages = self.0.simple_query(&text).await.map_err(Error::Driver)?;
        Ok(Answer::read(messages))
    }
}

impl fmt::Debug for Within<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Within(..)")
    }
}

impl UserTransaction for Within<'_, '_> {
    type Error = Error;

    const DIALECT: Dialect = Dialect::Postgres;

    async fn count(&mut self, statement: &BoundStatement<'_>) -> Result<u64, Error> {
        let (rows, _count) = self.send(statement).await?;
        Ok(rows.len().try_into().unwrap_or(u64::MAX))
    }

    async fn execute(&mut self, statement: &BoundStatement<'_>) -> Result<u64, Error> {
        let (_rows, count) = self.send(statement).await?;
        Ok(count)
    }

    async fn run(&mut self, text: &'static str) -> Result<(), Error> {
        self.0.batch_execute(text).await.map_err(Error::Driver)
    }

    fn fault(error: &Error) -> Option<Fault> {
        error.fault()
    }

    fn failed(names: &Names, error: Error) -> LockError {
        error.failed(names)
    }
}
