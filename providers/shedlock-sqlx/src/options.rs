//! The options of a provider.

use std::fmt;
use std::sync::Arc;

use shedlock_runtime::{Clock, HistoryOptions, LockError, Operation};
use shedlock_sql::{
    ColumnNames, DEFAULT_HISTORY_TABLE, DEFAULT_TABLE, LockClock, Names, SqlLocks, SqlOptions,
};
use sqlx::Pool;

use crate::connections::Source;
use crate::database::SqlDatabase;
use crate::provider::SqlxLockProvider;

/// A builder with the options of a provider, from [`SqlxLockProvider::builder`] or [`SqlxLockProvider::builder_from_url`].
///
/// # Examples
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # async fn run() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_sqlx::PostgresLockProvider;
///
/// let provider = PostgresLockProvider::builder_from_url("postgres://app@db/app")
///     .table_name("app.locks")
///     .node_name("web-2")
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `build` or `connect` is called"]
pub struct SqlxLockProviderBuilder<DB: SqlDatabase> {
    origin: Origin<DB>,
    table: String,
    columns: ColumnNames,
    options: SqlOptions,
    history: Option<HistoryOptions>,
    history_table: String,
}

enum Origin<DB: SqlDatabase> {
    Pool(Pool<DB>),
    Url(String),
}

impl<DB: SqlDatabase> SqlxLockProviderBuilder<DB> {
    pub(crate) fn from_pool(pool: Pool<DB>) -> Self {
        Self::with_defaults(Origin::Pool(pool))
    }

    pub(crate) fn from_url(url: &str) -> Self {
        Self::with_defaults(Origin::Url(url.to_owned()))
    }

    fn with_defaults(origin: Origin<DB>) -> Self {
        Self {
            origin,
            table: DEFAULT_TABLE.to_owned(),
            columns: ColumnNames::default(),
            options: SqlOptions::default(),
            history: None,
            history_table: DEFAULT_HISTORY_TABLE.to_owned(),
        }
    }

    /// Sets the table's name, which may be `schema.table`. The default is `shedlock`.
    ///
    /// The name is quoted in statements, so upper and lower case matter.
    pub fn table_name(mut self, name: impl Into<String>) -> Self {
        self.table = name.into();
        self
    }

    /// Sets the names of the columns. The defaults are ShedLock's names.
    pub fn columns(mut self, columns: ColumnNames) -> Self {
        self.columns = columns;
        self
    }

    /// Sets the name of the column for fencing tokens. The default is `fencing_token`. The table may lack the column: leases then have no
    /// fencing token.
    pub fn fencing_token_column(mut self, column: impl Into<String>) -> Self {
        self.columns = self.columns.with_fencing_token(column);
        self
    }

    /// Sets the name of this node in the table. The default is the host's name.
    pub fn node_name(mut self, name: &str) -> Self {
        self.options = self.options.with_node_name(name);
        self
    }

    /// Sets the clock by which a lease ends. The default is the database server's clock.
    pub fn clock(mut self, clock: LockClock) -> Self {
        self.options = self.options.with_clock(clock);
        self
    }

    /// Sets the clock of this node: the holder measures its deadline and, with [`LockClock::Client`], the time of day by it. The default
    /// is the system's clock.
    pub fn time_source(mut self, time: impl Clock) -> Self {
        self.options = self.options.with_time_source(Arc::new(time));
        self
    }

    /// Sets whether statements are prepared once and reused on a connection. Only PostgreSQL uses the option.
    ///
    /// By default statements are prepared, unless there is a pooler that sends each statement on any of its connections, as `PgBouncer`
    /// does in transaction mode. With [`builder_from_url`](SqlxLockProvider::builder_from_url) a pooler is detected when a connection is
    /// opened; with an `sqlx` pool, by the pooler's first error. With `false`, each statement is sent in one message with its values: use
    /// that for an `sqlx` pool behind a pooler.
    pub fn persistent_statements(mut self, persistent: bool) -> Self {
        self.options = self.options.with_persistent_statements(persistent);
        self
    }

    /// Keeps a history of runs, in a table of its own: who ran what, when, for how long, with which end and with the text of which error.
    ///
    /// `ensure_schema` creates the table. A history whose table is missing, or may not be written, touches neither locks nor jobs: each
    /// entry that cannot be made is a WARN line with the statement that helps, and a listener's event.
    pub fn history(mut self, options: HistoryOptions) -> Self {
        self.history = Some(options);
        self
    }

    /// Sets the name of the table of the [`history`](Self::history), which may be `schema.table`. The default is `shedlock_history`, in the
    /// schema of the table of locks.
    pub fn history_table_name(mut self, name: impl Into<String>) -> Self {
        self.history_table = name.into();
        self
    }

    /// Builds the provider without connecting. The provider connects at its first use.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) for a name that the database does not support, or an
    /// invalid URL.
    pub fn build(self) -> Result<SqlxLockProvider<DB>, LockError> {
        let provider = DB::DIALECT.provider_name();
        self.try_build()
            .map_err(|error| error.with_context(Operation::Connect, provider, None))
    }

    /// Builds the provider and opens a connection, to check that the database can be reached.
    ///
    /// # Errors
    ///
    /// The errors of [`build`](Self::build) and of [`SqlxLockProvider::connect`].
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves no connection open.
    pub async fn connect(self) -> Result<SqlxLockProvider<DB>, LockError> {
        let built = self.build()?;
        let connected = built.locks.warm_up().await;
        connected.map_err(|error| built.in_context(error, Operation::Connect, None))?;
        Ok(built)
    }

    fn try_build(mut self) -> Result<SqlxLockProvider<DB>, LockError> {
        let columns = std::mem::take(&mut self.columns);
        let names = Names::new(DB::DIALECT, &self.table, columns)?;
        if let Some(history) = self.history {
            let runs = Names::history(DB::DIALECT, &self.history_table)?;
            names.check_history(&runs)?;
            self.options = self.options.with_history(runs, history);
        }
        let source = match &self.origin {
            Origin::Pool(pool) => Source::from_pool(pool.clone()),
            Origin::Url(url) => Source::from_servers(DB::options(url)?),
        };
        Ok(self.assemble(names, source))
    }

    fn assemble(self, names: Names, source: Source<DB>) -> SqlxLockProvider<DB> {
        SqlxLockProvider {
            locks: Arc::new(SqlLocks::new(source, names, self.options)),
        }
    }
}

/// A provider on `pool` with the default options.
pub(crate) fn defaults<DB: SqlDatabase>(pool: Pool<DB>) -> SqlxLockProvider<DB> {
    SqlxLockProviderBuilder::from_pool(pool.clone())
        .assemble(Names::shedlock(DB::DIALECT), Source::from_pool(pool))
}

impl<DB: SqlDatabase> fmt::Debug for SqlxLockProviderBuilder<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match &self.origin {
            Origin::Pool(_) => "a pool",
            Origin::Url(_) => "a URL",
        };
        f.debug_struct("SqlxLockProviderBuilder")
            .field("origin", &origin)
            .field("table", &self.table)
            .field("columns", &self.columns)
            .field("options", &self.options)
            .field("history", &self.history)
            .field("history_table", &self.history_table)
            .finish_non_exhaustive()
    }
}
