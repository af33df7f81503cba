//! The row of a held lock, for statements in a transaction of the user.

use std::fmt;
use std::sync::Arc;

use shedlock_runtime::{AcquireRequest, ErrorKind, LockError, LockName, Owner, ProviderInfo};

use super::once::now;
use super::table::Table;
use super::user_transaction::{UserTransaction, undo};
use crate::driver::BoundStatement;
use crate::fault::Fault;
use crate::statements::{LockClock, Statement, TransactionStatements, Values};

/// The row of a held lock. [`SqlLocks`](crate::SqlLocks) keeps it with each lease, and a provider crate finds it by
/// [`Lock::noted`](shedlock_runtime::Lock::noted).
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{Lock, LockError};
/// use shedlock_sql::{HeldRow, UserTransaction};
///
/// /// What a provider crate offers for its driver's transactions.
/// async fn fence_in(lock: &Lock, transaction: &mut impl UserTransaction) -> Result<(), LockError> {
///     match lock.noted::<HeldRow>() {
///         Some(row) => row.fence_in(transaction).await,
///         None => Err(HeldRow::missing()),
///     }
/// }
/// ```
pub struct HeldRow {
    lock: LockName,
    owner: Owner,
    has_position: bool,
    provider: ProviderInfo,
    clock: LockClock,
    table: Arc<Table>,
}

impl HeldRow {
    /// The row of the lock that was granted to `request`; none if the request has no owner, so that nothing was granted.
    pub(super) fn of(
        request: &AcquireRequest,
        provider: &ProviderInfo,
        clock: LockClock,
        table: Arc<Table>,
    ) -> Option<Self> {
        Some(Self {
            lock: request.name().clone(),
            owner: request.owner(provider).ok()?.clone(),
            has_position: request.position_rule().is_some(),
            provider: provider.clone(),
            clock,
            table,
        })
    }

    /// The error for a lock that no SQL provider keeps, or for a task that holds no lock.
    #[must_use]
    pub fn missing() -> LockError {
        LockError::new(
            ErrorKind::Configuration,
            "there is no lock in a database here that a transaction could check",
        )
        .with_remedy(
            "call it with a lock that this crate's provider keeps, in the task that holds the lock",
        )
    }

    /// Checks in the user's transaction that the lease is live and still belongs to this acquisition. The row stays locked until the
    /// transaction ends, so nobody can take the lock before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Lost`] if the lease has ended or the lock was taken away; [`ErrorKind::Configuration`] for a transaction in another
    /// database. After both, the work in the transaction cannot be committed. Otherwise the error of the database.
    ///
    /// # Cancel safety
    ///
    /// Roll the transaction back.
    pub async fn fence_in<T: UserTransaction>(&self, transaction: &mut T) -> Result<(), LockError> {
        self.check_dialect::<T>()?;
        let found = self.count(transaction, &self.statements().fence).await?;
        self.judge(transaction, found).await
    }

    /// Marks the slot, instant or step of the run as done in the user's transaction, on condition that the lease is live and still belongs
    /// to this acquisition. The row stays locked until the transaction ends.
    ///
    /// # Errors
    ///
    /// As [`fence_in`](Self::fence_in); also [`ErrorKind::Configuration`] for a lock that was taken without `once_per`, `instant` and
    /// `step`.
    ///
    /// # Cancel safety
    ///
    /// Roll the transaction back.
    pub async fn complete_in<T: UserTransaction>(
        &self,
        transaction: &mut T,
    ) -> Result<(), LockError> {
        self.check_dialect::<T>()?;
        if !self.has_position {
            return Err(LockError::new(
                ErrorKind::Configuration,
                "the lock was taken without a slot, instant or step that could be marked as done",
            )
            .with_remedy("give the lock `once_per`, `instant` or `step`, or call `fence_in`"));
        }
        let writes = Writes::of(&self.owner);
        let values = self.values(&writes);
        let complete = bound(&self.statements().complete, &values);
        let done = transaction.execute(&complete).await;
        let done = self.or_undone(transaction, done).await?;
        self.judge(transaction, done).await
    }

    fn check_dialect<T: UserTransaction>(&self) -> Result<(), LockError> {
        let dialect = self.table.names.dialect();
        if dialect == T::DIALECT {
            return Ok(());
        }
        let problem = format!(
            "the transaction is one of {}, and the lock is kept in {dialect}",
            T::DIALECT
        );
        Err(LockError::new(ErrorKind::Configuration, problem).with_remedy(SAME_DATABASE))
    }

    async fn count<T: UserTransaction>(
        &self,
        transaction: &mut T,
        statement: &Statement,
    ) -> Result<u64, LockError> {
        let writes = Writes::of(&self.owner);
        let values = self.values(&writes);
        let count = transaction.count(&bound(statement, &values)).await;
        self.or_undone(transaction, count).await
    }

    /// Undoes the user's work if a statement has failed: the database may have undone that statement alone.
    async fn or_undone<T: UserTransaction>(
        &self,
        transaction: &mut T,
        answer: Result<u64, T::Error>,
    ) -> Result<u64, LockError> {
        match answer {
            Ok(rows) => Ok(rows),
            Err(error) => {
                undo(transaction).await;
                Err(self.failed::<T>(error))
            }
        }
    }

    /// Accepts one row. Otherwise the user's work is undone, even if the program ignores the error and commits.
    async fn judge<T: UserTransaction>(
        &self,
        transaction: &mut T,
        rows: u64,
    ) -> Result<(), LockError> {
        if rows > 0 {
            return Ok(());
        }
        let is_here = self.count(transaction, &self.statements().row).await? > 0;
        undo(transaction).await;
        Err(if is_here {
            LockError::new(
                ErrorKind::Lost,
                "the lease has ended or the lock was taken away, so nothing of the transaction can be committed",
            )
            .with_remedy("return the error; another node runs, or has run, the job")
        } else {
            let problem = format!(
                "the transaction's database has no row of the lock in `{}`",
                self.table.names.table()
            );
            LockError::new(ErrorKind::Configuration, problem).with_remedy(SAME_DATABASE)
        })
    }

    fn failed<T: UserTransaction>(&self, error: T::Error) -> LockError {
        let is_missing = T::fault(&error) == Some(Fault::MissingTable);
        let failed = T::failed(&self.table.names, error);
        if is_missing {
            failed.with_remedy(SAME_DATABASE)
        } else {
            failed
        }
    }

    fn statements(&self) -> &TransactionStatements {
        &self.table.statements(false).transaction
    }

    /// The values of a condition that every write of this acquisition meets, also one that is on its way: the runtime may extend the lease
    /// meanwhile.
    fn values<'v>(&'v self, writes: &'v Writes) -> Values<'v> {
        Values {
            first: &writes.first,
            owner: &writes.last,
            now: now(self.clock, &self.provider),
            ..Values::named(self.lock.as_str())
        }
    }
}

/// The owner as the first and the last write of an acquisition store it.
struct Writes {
    first: String,
    last: String,
}

impl Writes {
    fn of(owner: &Owner) -> Self {
        let first = owner.stored();
        Self {
            last: format!("{first}ffffffffffff"),
            first,
        }
    }
}

/// The statement with its values. It is not prepared: the user's pool may be behind a pooler.
const fn bound<'s>(statement: &'s Statement, values: &'s Values<'s>) -> BoundStatement<'s> {
    BoundStatement {
        statement,
        values,
        is_prepared: false,
    }
}

const SAME_DATABASE: &str =
    "begin the transaction in the database in which the lock provider keeps its locks";

impl fmt::Debug for HeldRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldRow")
            .field("lock", &self.lock)
            .field("table", &self.table.names.table())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shedlock_runtime::{LockConfiguration, TokioClock};

    use super::*;
    use crate::dialect::Dialect;
    use crate::driver::BoundStatement;
    use crate::explain;
    use crate::names::Names;

    /// A transaction whose statement arrives after the runtime has extended the lease.
    struct Overtaken(Owner);

    impl UserTransaction for Overtaken {
        type Error = std::io::Error;

        const DIALECT: Dialect = Dialect::Postgres;

        async fn count(&mut self, bound: &BoundStatement<'_>) -> Result<u64, std::io::Error> {
            self.execute(bound).await
        }

        async fn execute(&mut self, bound: &BoundStatement<'_>) -> Result<u64, std::io::Error> {
            let extended = self.0.next_write();
            let ours = bound.values.first..=bound.values.owner;
            Ok(u64::from(ours.contains(&extended.stored())))
        }

        async fn run(&mut self, _text: &'static str) -> Result<(), std::io::Error> {
            Ok(())
        }

        fn fault(_error: &std::io::Error) -> Option<Fault> {
            None
        }

        fn failed(_names: &Names, error: std::io::Error) -> LockError {
            explain::broken().with_source(error)
        }
    }

    #[tokio::test]
    async fn an_extension_that_comes_first_is_no_loss() {
        let info = ProviderInfo::new("postgres").with_clock(TokioClock);
        let config = LockConfiguration::new("job", Duration::from_secs(60)).unwrap();
        let config = config.with_step(1).unwrap();
        let request = AcquireRequest::new(config, info.clock().boot());
        let owner = request.owner(&info).unwrap().clone();
        let table = Table::unknown(Names::shedlock(Dialect::Postgres), LockClock::Database);
        let row = HeldRow::of(&request, &info, LockClock::Database, Arc::new(table)).unwrap();
        row.complete_in(&mut Overtaken(owner.clone()))
            .await
            .unwrap();
        row.fence_in(&mut Overtaken(owner)).await.unwrap();
    }
}
