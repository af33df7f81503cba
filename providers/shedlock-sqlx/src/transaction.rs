//! A held lock in a transaction of the user.

use std::fmt;

use async_trait::async_trait;
use shedlock_runtime::{Lock, LockError, lock};
use shedlock_sql::{BoundStatement, Dialect, Fault, HeldRow, Names, UserTransaction};
use sqlx::Transaction;

use crate::database::SqlDatabase;
use crate::error;

/// Marks the run under the running task's lock as done, in the user's own transaction: the mark and the work are committed together, or
/// neither is. The lock is the one that the task took last, with `once_per`, `instant` or `step`.
///
/// The statement is on condition that the lease is live by the lock's clock and still belongs to this run. It locks the lock's row until the
/// transaction ends. So call the function last, right before the commit: until the transaction ends, no other node takes the lock, and the
/// lease cannot be extended either.
///
/// In PostgreSQL, under `REPEATABLE READ` and `SERIALIZABLE`, an extension that was committed after the transaction's snapshot makes the
/// statement fail with a serialization error; [`fence_in`] as the first statement of the transaction prevents that.
///
/// # Errors
///
/// - [`ErrorKind::Lost`](shedlock_runtime::ErrorKind::Lost) if the lease has ended or the lock was taken away.
/// - [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) if the transaction is in another database than the lock, if
///   the task holds no lock in a database, or if the lock was taken without `once_per`, `instant` and `step`.
/// - Otherwise the error of the database.
///
/// After the first error, and for a transaction in another database, the work is undone even if the program ignores the error and commits:
/// PostgreSQL's transaction is aborted; those of MySQL, MariaDB and SQLite are rolled back, and begin again empty.
///
/// # Cancel safety
///
/// If the call is dropped, roll the transaction back.
///
/// # Examples
///
/// ```no_run
/// use shedlock_sqlx::complete_in;
/// # #[cfg(feature = "postgres")]
/// use sqlx::PgPool;
///
/// # #[cfg(feature = "postgres")]
/// // #[scheduler_lock(name = "payout", at_most = "5m", once_per = "1d")]
/// async fn payout(pool: &PgPool) -> Result<(), Box<dyn std::error::Error>> {
///     let mut transaction = pool.begin().await?;
///     sqlx::query("UPDATE accounts SET balance = balance + 1").execute(&mut *transaction).await?;
///     complete_in(&mut transaction).await?;
///     transaction.commit().await?;
///     Ok(())
/// }
/// ```
pub async fn complete_in<DB: SqlDatabase>(
    transaction: &mut Transaction<'_, DB>,
) -> Result<(), LockError> {
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
/// use shedlock_sqlx::fence_in;
/// # #[cfg(feature = "postgres")]
/// use sqlx::PgPool;
///
/// # #[cfg(feature = "postgres")]
/// // #[scheduler_lock(name = "stock_report", at_most = "5m")]
/// async fn stock_report(pool: &PgPool) -> Result<(), Box<dyn std::error::Error>> {
///     let mut transaction = pool.begin().await?;
///     fence_in(&mut transaction).await?;
///     sqlx::query("DELETE FROM report").execute(&mut *transaction).await?;
///     transaction.commit().await?;
///     Ok(())
/// }
/// ```
pub async fn fence_in<DB: SqlDatabase>(
    transaction: &mut Transaction<'_, DB>,
) -> Result<(), LockError> {
    let row = lock::noted::<HeldRow>().ok_or_else(HeldRow::missing)?;
    row.fence_in(&mut Within(transaction)).await
}

/// [`complete_in`] and [`fence_in`] for a guard.
///
/// # Examples
///
/// ```no_run
/// use shedlock_runtime::{LockConfiguration, LockProviderExt as _};
/// # #[cfg(feature = "postgres")]
/// use shedlock_sqlx::{LockInTransaction as _, PostgresLockProvider};
/// # #[cfg(feature = "postgres")]
/// use sqlx::PgPool;
///
/// # #[cfg(feature = "postgres")]
/// async fn charge(provider: &PostgresLockProvider, pool: &PgPool, order: u64) -> Result<(), Box<dyn std::error::Error>> {
///     let step = LockConfiguration::new(format!("order-{order}"), "5m")?.with_step(1)?;
///     if let Some(lock) = provider.try_lock(step).await? {
///         let mut transaction = pool.begin().await?;
///         sqlx::query("UPDATE accounts SET balance = balance - 1").execute(&mut *transaction).await?;
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
    async fn complete_in<DB: SqlDatabase>(
        &self,
        transaction: &mut Transaction<'_, DB>,
    ) -> Result<(), LockError>;

    /// As the function [`fence_in`], for this lock.
    ///
    /// # Errors
    ///
    /// As [`fence_in`].
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, roll the transaction back.
    async fn fence_in<DB: SqlDatabase>(
        &self,
        transaction: &mut Transaction<'_, DB>,
    ) -> Result<(), LockError>;
}

#[async_trait]
impl LockInTransaction for Lock {
    async fn complete_in<DB: SqlDatabase>(
        &self,
        transaction: &mut Transaction<'_, DB>,
    ) -> Result<(), LockError> {
        let row = self.noted::<HeldRow>().ok_or_else(HeldRow::missing)?;
        row.complete_in(&mut Within(transaction)).await
    }

    async fn fence_in<DB: SqlDatabase>(
        &self,
        transaction: &mut Transaction<'_, DB>,
    ) -> Result<(), LockError> {
        let row = self.noted::<HeldRow>().ok_or_else(HeldRow::missing)?;
        row.fence_in(&mut Within(transaction)).await
    }
}

/// The user's transaction, as `shedlock-sql` sees it.
struct Within<'t, 'c, DB: SqlDatabase>(&'t mut Transaction<'c, DB>);

impl<DB: SqlDatabase> fmt::Debug for Within<'_, '_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Within(..)")
    }
}

impl<DB: SqlDatabase> UserTransaction for Within<'_, '_, DB> {
    type Error = sqlx::Error;

    const DIALECT: Dialect = DB::DIALECT;

    async fn count(&mut self, statement: &BoundStatement<'_>) -> Result<u64, sqlx::Error> {
        let rows = DB::fetch(self.0, statement).await?;
        Ok(rows.len().try_into().unwrap_or(u64::MAX))
    }

    async fn execute(&mut self, statement: &BoundStatement<'_>) -> Result<u64, sqlx::Error> {
        Ok(DB::execute(self.0, statement).await?.rows)
    }

    async fn run(&mut self, text: &'static str) -> Result<(), sqlx::Error> {
        DB::query(self.0, text.to_owned()).await.map(drop)
    }

    fn fault(error: &sqlx::Error) -> Option<Fault> {
        error.as_database_error().map(DB::fault)
    }

    fn failed(names: &Names, error: sqlx::Error) -> LockError {
        error::failed::<DB>(names, error)
    }
}
