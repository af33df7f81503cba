//! The provider, which delegates to `shedlock-sql`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use shedlock_runtime::{
    AcquireRequest, Acquisition, Lease, LockError, LockName, LockProvider, Operation, Ownership,
    ProviderInfo, RunHistory,
};
use shedlock_sql::{SchemaReport, SqlLocks};
use sqlx::Pool;

use crate::connections::Source;
use crate::database::SqlDatabase;
use crate::options::{self, SqlxLockProviderBuilder};

/// A lock provider that stores its locks in a table of an SQL database, over [`sqlx`].
///
/// Programs use the type alias of their database: `PostgresLockProvider`, `MySqlLockProvider` or `SqliteLockProvider`. Clones of a provider
/// share its connections.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_runtime::{LockConfiguration, LockProviderExt as _};
/// use shedlock_sqlx::SqliteLockProvider;
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let url = format!("sqlite://{}", folder.path().join("locks.db").display());
/// let provider = SqliteLockProvider::connect(&url).await?;
/// provider.ensure_schema().await?;
/// let lock = provider.try_lock(LockConfiguration::new("mail", "5m")?).await?.expect("the lock is free");
/// lock.unlock().await?;
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "sqlite"))]
/// # fn main() {}
/// ```
pub struct SqlxLockProvider<DB: SqlDatabase> {
    pub(crate) locks: Arc<SqlLocks<Source<DB>>>,
}

impl<DB: SqlDatabase> Clone for SqlxLockProvider<DB> {
    fn clone(&self) -> Self {
        Self {
            locks: Arc::clone(&self.locks),
        }
    }
}

impl<DB: SqlDatabase> fmt::Debug for SqlxLockProvider<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlxLockProvider")
            .field("database", &DB::DIALECT.provider_name())
            .field("locks", &self.locks)
            .field("connections", self.locks.driver())
            .finish_non_exhaustive()
    }
}

impl<DB: SqlDatabase> SqlxLockProvider<DB> {
    /// Creates a provider on the caller's pool, with ShedLock's names of the table and its columns.
    ///
    /// Each statement runs on a connection of the pool, outside any transaction. The pool's settings apply, including its pings, so
    /// [`connect`](Self::connect) needs fewer round trips.
    #[must_use]
    pub fn new(pool: Pool<DB>) -> Self {
        options::defaults(pool)
    }

    /// Creates a provider with connections of its own, which stay open and are replaced when they break.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) for a URL that is not valid or a login that is refused;
    /// [`ErrorKind::Unavailable`](shedlock_runtime::ErrorKind::Unavailable) if the database cannot be reached. A missing table is not an
    /// error here.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves no connection open.
    pub async fn connect(url: &str) -> Result<Self, LockError> {
        Self::builder_from_url(url).connect().await
    }

    /// Returns a builder for a provider on the caller's pool.
    pub fn builder(pool: Pool<DB>) -> SqlxLockProviderBuilder<DB> {
        SqlxLockProviderBuilder::from_pool(pool)
    }

    /// Returns a builder for a provider with connections of its own.
    pub fn builder_from_url(url: &str) -> SqlxLockProviderBuilder<DB> {
        SqlxLockProviderBuilder::from_url(url)
    }

    /// Creates the table if it does not exist, with a column for fencing tokens and room for every valid lock name. Nodes on
    /// the JVM can use the table too. If the builder asked for a history, its table and index are created as well. An existing table is not
    /// changed.
    ///
    /// # Errors
    ///
    /// The database's user may not create tables, or the database cannot be reached.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have created the table; the call can be repeated.
    pub async fn ensure_schema(&self) -> Result<(), LockError> {
        let made = self.locks.ensure_schema().await;
        made.map_err(|error| self.in_context(error, Operation::EnsureSchema, None))
    }

    /// Inspects the table and the session: whether columns are missing or have wrong types, whether the name is the primary
    /// key, and whether time zones would make nodes disagree.
    ///
    /// If the builder asked for a history, its table must have its columns, and the database's user must be allowed to read, insert and
    /// delete.
    ///
    /// The report lists limitations with which locks still work. The table in ShedLock's documentation, for example, has no column
    /// for fencing tokens.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`](shedlock_runtime::ErrorKind::Schema) with all necessary changes to the table;
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) or
    /// [`ErrorKind::ReadOnly`](shedlock_runtime::ErrorKind::ReadOnly) if only the session is wrong; another kind if the query failed.
    ///
    /// # Cancel safety
    ///
    /// The call changes nothing.
    pub async fn check_schema(&self) -> Result<SchemaReport, LockError> {
        let report = self.locks.check_schema().await;
        report.map_err(|error| self.in_context(error, Operation::CheckSchema, None))
    }

    pub(crate) fn in_context(
        &self,
        error: LockError,
        operation: Operation,
        lock: Option<&LockName>,
    ) -> LockError {
        error.with_context(operation, self.locks.info().name(), lock)
    }
}

#[async_trait]
impl<DB: SqlDatabase> LockProvider for SqlxLockProvider<DB> {
    fn info(&self) -> &ProviderInfo {
        self.locks.info()
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        self.locks.acquire(request).await
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        self.locks.extend(lease, at_most).await
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        self.locks.release(lease, keep_for).await
    }

    async fn forget_claims(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        self.locks.forget(prefix, unused_for).await
    }

    fn run_history(&self) -> Option<&dyn RunHistory> {
        self.locks.run_history()
    }
}
