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

use crate::connections::Source;
use crate::options::{self, PostgresLockProviderBuilder};
use crate::source::PostgresSource;

/// A lock provider that stores its locks in a table of a PostgreSQL database, over [`tokio_postgres`]. Clones of a provider share its
/// connection.
///
/// # Examples
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use shedlock_postgres::PostgresLockProvider;
/// use shedlock_runtime::{LockConfiguration, LockProviderExt as _};
///
/// let provider = PostgresLockProvider::connect("postgres://app@localhost/app").await?;
/// provider.ensure_schema().await?;
/// if let Some(lock) = provider.try_lock(LockConfiguration::new("mail", "5m")?).await? {
///     lock.unlock().await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresLockProvider {
    pub(crate) locks: Arc<SqlLocks<Source>>,
}

impl fmt::Debug for PostgresLockProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresLockProvider")
            .field("locks", &self.locks)
            .field("connections", self.locks.driver())
            .finish_non_exhaustive()
    }
}

impl PostgresLockProvider {
    /// Creates a provider on a client or a pool of the program, with ShedLock's names of the table and its columns.
    ///
    /// The program drives the connection of a [`Client`](tokio_postgres::Client), and opens another one if it ends. No transaction may be
    /// open on that client while the provider uses it: the call is an error then, and the transaction fails.
    ///
    /// Each statement on a pool runs on a connection of the pool, outside any transaction. The pool's settings apply.
    #[must_use]
    pub fn new(source: impl Into<PostgresSource>) -> Self {
        options::defaults(source.into())
    }

    /// Creates a provider with one connection of its own, on which the calls of all tasks are pipelined. It stays open and is replaced
    /// when it breaks.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) for a URL that is not valid, a login that is refused, or
    /// TLS that cannot be had; [`ErrorKind::Unavailable`](shedlock_runtime::ErrorKind::Unavailable) if the database cannot be reached. A
    /// missing table is not an error here.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves no connection open.
    pub async fn connect(url: &str) -> Result<Self, LockError> {
        Self::builder_from_url(url).connect().await
    }

    /// Returns a builder for a provider on a client or a pool of the program.
    pub fn builder(source: impl Into<PostgresSource>) -> PostgresLockProviderBuilder {
        PostgresLockProviderBuilder::from_source(source.into())
    }

    /// Returns a builder for a provider with a connection of its own.
    pub fn builder_from_url(url: &str) -> PostgresLockProviderBuilder {
        PostgresLockProviderBuilder::from_url(url)
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
impl LockProvider for PostgresLockProvider {
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
