//! The stores: real servers with a database of the test's own, and a file.

use std::net::SocketAddr;
use std::sync::Arc;

use shedlock::LockProvider;
use shedlock_sqlx::{MySqlLockProvider, PostgresLockProvider, SqliteLockProvider};
use shedlock_testkit::Unavailable;
use shedlock_testkit::servers::{MariaDb, Postgres};
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

    async fn new(url: String, store: Store) -> Self {
        // The table.
        connect(&url).await;
        Self { url, store }
    }

    /// A provider with connections of its own.
    pub(crate) async fn connect(&self) -> Locks {
        connect(&self.url).await
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
        let now = if self.is_mariadb() {
            "UTC_TIMESTAMP(6)"
        } else {
            "timezone('utc', clock_timestamp())"
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
            Store::Sqlite(_) => panic!("a file has no administrator"),
        };
        said.trim().to_owned()
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

    /// Whether this is MariaDB, whose SQL differs.
    pub(crate) fn is_mariadb(&self) -> bool {
        matches!(self.store, Store::MariaDb(_))
    }
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
