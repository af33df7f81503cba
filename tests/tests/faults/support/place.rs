//! The stores: real servers with a database of the test's own, and a file.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use shedlock::{LockAdmin, LockProvider};
use shedlock_sqlx::{MySqlLockProvider, PostgresLockProvider, SqliteLockProvider};
use shedlock_testkit::Unavailable;
use shedlock_testkit::servers::{MariaDb, Postgres};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tempfile::TempDir;

/// A provider, whichever it is.
pub(crate) type Locks = Arc<dyn LockProvider>;

/// A database of the test's own.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) url: String,
    store: Store,
}

#[derive(Debug)]
enum Store {
    Postgres(Postgres),
    MariaDb(MariaDb),
    Sqlite(#[expect(dead_code, reason = "lives as long as the place")] TempDir),
}

impl Place {
    pub(crate) async fn postgres() -> Result<Self, Unavailable> {
        Ok(Self::on_postgres(Postgres::shared().await?.clone()).await)
    }

    pub(crate) async fn mariadb() -> Result<Self, Unavailable> {
        Ok(Self::on_mariadb(MariaDb::shared().await?.clone()).await)
    }

    pub(crate) async fn on_postgres(server: Postgres) -> Self {
        let url = server.fresh_database().await;
        Self::new(url, Store::Postgres(server)).await
    }

    pub(crate) async fn on_mariadb(server: MariaDb) -> Self {
        let url = server.fresh_database().await;
        Self::new(url, Store::MariaDb(server)).await
    }

    pub(crate) async fn sqlite() -> Result<Self, Unavailable> {
        let directory = tempfile::tempdir().expect("there is a place for temporary files");
        let url = format!("sqlite://{}", directory.path().join("locks.db").display());
        Ok(Self::new(url, Store::Sqlite(directory)).await)
    }

    /// A file in a directory that somebody else keeps.
    pub(crate) async fn in_directory(directory: &Path) -> Self {
        let inside = tempfile::tempdir_in(directory).expect("it may be written");
        let url = format!("sqlite://{}", inside.path().join("locks.db").display());
        Self::new(url, Store::Sqlite(inside)).await
    }

    async fn new(url: String, store: Store) -> Self {
        // The table.
        connect(&url).await;
        Self { url, store }
    }

    /// A provider with connections of its own.
    pub(crate) async fn connect(&self) -> Locks {
        connect(&self.url).await
    }

    /// The same, but it connects when it is used.
    pub(crate) fn connect_lazily(&self) -> Locks {
        macro_rules! build {
            ($provider:ty) => {
                Arc::new(
                    <$provider>::builder_from_url(&self.url)
                        .build()
                        .expect("legal"),
                )
            };
        }
        match &self.store {
            Store::Sqlite(_) => build!(SqliteLockProvider),
            Store::MariaDb(_) => build!(MySqlLockProvider),
            Store::Postgres(_) => build!(PostgresLockProvider),
        }
    }

    /// The URL of somebody who may read the table, and nothing else.
    pub(crate) async fn read_only_url(&self) -> String {
        match &self.store {
            Store::Postgres(server) => server.read_only_url(&self.url).await,
            Store::MariaDb(server) => server.read_only_url(&self.url).await,
            Store::Sqlite(_) => panic!("a file has no users"),
        }
    }

    /// Several of them.
    pub(crate) async fn nodes(&self, count: usize) -> Vec<Locks> {
        let mut nodes = Vec::new();
        for _ in 0..count {
            nodes.push(self.connect().await);
        }
        nodes
    }

    pub(crate) async fn operator(&self) -> Arc<dyn LockAdmin> {
        macro_rules! connect {
            ($provider:ty) => {
                Arc::new(<$provider>::connect(&self.url).await.expect("it is there"))
            };
        }
        match &self.store {
            Store::Sqlite(_) => connect!(SqliteLockProvider),
            Store::MariaDb(_) => connect!(MySqlLockProvider),
            Store::Postgres(_) => connect!(PostgresLockProvider),
        }
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        match &self.store {
            Store::Postgres(server) => server.address(),
            Store::MariaDb(server) => server.address(),
            Store::Sqlite(_) => panic!("a file has no address"),
        }
    }

    /// The URL for who reaches the server at another address.
    pub(crate) fn url_at(&self, address: &str) -> String {
        let own = self.address().to_string();
        self.url.replacen(&own, address, 1)
    }

    /// Whether the lock `job` has a live lease, by the store's own clock.
    pub(crate) async fn is_held(&self) -> bool {
        let now = match &self.store {
            Store::MariaDb(_) => "UTC_TIMESTAMP(6)",
            Store::Postgres(_) => "timezone('utc', clock_timestamp())",
            Store::Sqlite(_) => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        };
        let live =
            format!("SELECT count(*) FROM shedlock WHERE name = 'job' AND lock_until > {now}");
        self.execute(&live).await == "1"
    }

    /// Runs SQL past all providers, as the server's administrator.
    pub(crate) async fn execute(&self, statements: &str) -> String {
        let said = match &self.store {
            Store::Postgres(server) => server.execute(&self.url, statements).await,
            Store::MariaDb(server) => server.execute(&self.url, statements).await,
            Store::Sqlite(_) => execute_in_file(&self.url, statements).await,
        };
        said.trim().to_owned()
    }

    /// A column of the row of the lock `job`; empty without a row.
    pub(crate) async fn column(&self, column: &str) -> String {
        let row = format!("SELECT {column} FROM shedlock WHERE name = 'job'");
        self.execute(&row).await
    }

    /// Ends all connections of the nodes, as an administrator does.
    pub(crate) async fn end_connections(&self) {
        match &self.store {
            Store::Postgres(_) => {
                let all = "FROM pg_stat_activity WHERE datname = current_database() AND usename = 'shedlock'";
                self.execute(&format!("SELECT pg_terminate_backend(pid) {all}"))
                    .await;
            }
            Store::MariaDb(server) => {
                let all = "SELECT id FROM information_schema.processlist WHERE db = database() AND user = 'shedlock'";
                for id in self.execute(all).await.lines() {
                    server.kill_connection(&self.url, id).await;
                }
            }
            Store::Sqlite(_) => panic!("a file has no connections"),
        }
    }

    /// Kills the server, which is the test's own.
    pub(crate) async fn kill(&self) {
        let killed = match &self.store {
            Store::Postgres(server) => server.kill().await,
            Store::MariaDb(server) => server.kill().await,
            Store::Sqlite(_) => panic!("a file has no process"),
        };
        killed.expect("it is ours");
    }

    /// Starts it again.
    pub(crate) async fn restart(&self) {
        let started = match &self.store {
            Store::Postgres(server) => server.restart().await,
            Store::MariaDb(server) => server.restart().await,
            Store::Sqlite(_) => panic!("a file has no process"),
        };
        started.expect("it has run before");
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.store, Store::Sqlite(_))
    }

    /// Whether this is MariaDB, whose SQL differs.
    pub(crate) fn is_mariadb(&self) -> bool {
        matches!(self.store, Store::MariaDb(_))
    }
}

/// Runs SQL in a file of SQLite, and gives the first column of what it says.
async fn execute_in_file(url: &str, statements: &str) -> String {
    let connection = sqlx::SqliteConnection::connect(url).await;
    let mut connection = connection.expect("the file is there");
    let statements = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()));
    let rows = statements.fetch_all(&mut connection).await;
    let rows = rows.unwrap_or_else(|error| panic!("failed to execute SQL: {error}"));
    let cells = rows.iter().map(|row| {
        let text: Result<Option<String>, _> = row.try_get_unchecked(0);
        let number = || row.try_get_unchecked::<Option<i64>, _>(0).ok().flatten();
        match text {
            Ok(text) => text.unwrap_or_else(|| "NULL".to_owned()),
            Err(_) => number().map_or_else(String::new, |number| number.to_string()),
        }
    });
    let said = cells.collect::<Vec<_>>().join("\n");
    connection.close().await.expect("it is ours");
    said
}

/// A provider on the store at `url`, which gets the table if it has none.
pub(crate) async fn connect(url: &str) -> Locks {
    macro_rules! connect {
        ($provider:ty) => {{
            let provider = <$provider>::connect(url).await.expect("the store is there");
            provider.ensure_schema().await.expect("a table can be made");
            Arc::new(provider)
        }};
    }
    match url.split_once(':').expect("a URL").0 {
        "sqlite" => connect!(SqliteLockProvider),
        "mysql" => connect!(MySqlLockProvider),
        _ => connect!(PostgresLockProvider),
    }
}
