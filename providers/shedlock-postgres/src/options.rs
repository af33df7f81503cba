//! The options of a provider.

use std::fmt;
use std::sync::Arc;

use shedlock_runtime::{Clock, HistoryOptions, LockError, Operation};
use shedlock_sql::{
    ColumnNames, DEFAULT_HISTORY_TABLE, DEFAULT_TABLE, Dialect, LockClock, Names, SqlLocks,
    SqlOptions,
};

use crate::connections::Source;
use crate::connections::own::OwnConnection;
use crate::provider::PostgresLockProvider;
use crate::servers;
use crate::source::PostgresSource;

const DIALECT: Dialect = Dialect::Postgres;

/// A builder with the options of a provider, from [`PostgresLockProvider::builder`] or [`PostgresLockProvider::builder_from_url`].
///
/// # Examples
///
/// ```no_run
/// # async fn run() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_postgres::PostgresLockProvider;
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
pub struct PostgresLockProviderBuilder {
    origin: Origin,
    table: String,
    columns: ColumnNames,
    options: SqlOptions,
    history: Option<HistoryOptions>,
    history_table: String,
}

enum Origin {
    Source(PostgresSource),
    Url(String),
}

impl PostgresLockProviderBuilder {
    pub(crate) fn from_source(source: PostgresSource) -> Self {
        Self::with_defaults(Origin::Source(source))
    }

    pub(crate) fn from_url(url: &str) -> Self {
        Self::with_defaults(Origin::Url(url.to_owned()))
    }

    fn with_defaults(origin: Origin) -> Self {
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

    /// Sets whether statements are prepared once and reused on a connection.
    ///
    /// By default statements are prepared, unless there is a pooler that sends each statement on any of its connections, as `PgBouncer`
    /// does in transaction mode. With [`builder_from_url`](PostgresLockProvider::builder_from_url) a pooler is detected when a connection
    /// is opened; with a client or a pool of the program, by the pooler's first error. With `false`, each statement is sent in one message
    /// with its values: use that for a client or a pool behind a pooler.
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
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) for a name that the database does not support, an invalid
    /// URL, or one that asks for TLS in a program that was built without the feature `rustls`.
    pub fn build(self) -> Result<PostgresLockProvider, LockError> {
        self.try_build()
            .map_err(|error| error.with_context(Operation::Connect, DIALECT.provider_name(), None))
    }

    /// Builds the provider and opens a connection, to check that the database can be reached.
    ///
    /// # Errors
    ///
    /// The errors of [`build`](Self::build) and of [`PostgresLockProvider::connect`].
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves no connection open.
    pub async fn connect(self) -> Result<PostgresLockProvider, LockError> {
        let built = self.build()?;
        let connected = built.locks.warm_up().await;
        connected.map_err(|error| built.in_context(error, Operation::Connect, None))?;
        Ok(built)
    }

    fn try_build(self) -> Result<PostgresLockProvider, LockError> {
        let names = Names::new(DIALECT, &self.table, self.columns)?;
        let options = match self.history {
            Some(history) => {
                let runs = Names::history(DIALECT, &self.history_table)?;
                names.check_history(&runs)?;
                self.options.with_history(runs, history)
            }
            None => self.options,
        };
        let source = match self.origin {
            Origin::Source(PostgresSource(source)) => source,
            Origin::Url(url) => {
                let own = OwnConnection::new(servers::from_url(&url)?);
                Source::Own(Arc::new(own))
            }
        };
        Ok(assemble(source, names, options))
    }
}

/// A provider over `source` with the default options.
pub(crate) fn defaults(source: PostgresSource) -> PostgresLockProvider {
    assemble(source.0, Names::shedlock(DIALECT), SqlOptions::default())
}

fn assemble(source: Source, names: Names, options: SqlOptions) -> PostgresLockProvider {
    PostgresLockProvider {
        locks: Arc::new(SqlLocks::new(source, names, options)),
    }
}

impl fmt::Debug for PostgresLockProviderBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin: &dyn fmt::Debug = match &self.origin {
            Origin::Source(source) => source,
            Origin::Url(_) => &"a URL",
        };
        f.debug_struct("PostgresLockProviderBuilder")
            .field("origin", origin)
            .field("table", &self.table)
            .field("columns", &self.columns)
            .field("options", &self.options)
            .field("history", &self.history)
            .field("history_table", &self.history_table)
            .finish_non_exhaustive()
    }
}
