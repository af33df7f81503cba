//! A database for one test, and the ways to it.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use shedlock_runtime::HistoryOptions;
use shedlock_sqlx::{SqlDatabase, SqlxLockProvider, SqlxLockProviderBuilder};
use shedlock_testkit::conformance::{Peek, Stored};
use shedlock_testkit::servers::postgres::PostgresKind;
use shedlock_testkit::servers::{MariaDb, Postgres, Standalone as _};
use shedlock_testkit::{Proxy, Unavailable};
use sqlx::pool::PoolOptions;
use sqlx::{AssertSqlSafe, Executor as _, Pool, Row as _};
use tempfile::TempDir;

/// A database of one test's own.
pub(crate) struct Place<DB: SqlDatabase> {
    /// The way that the providers go.
    pub(crate) url: String,
    /// The same database without a proxy between.
    pub(crate) direct: String,
    /// What stands between, if there is a server.
    pub(crate) proxy: Option<Proxy>,
    /// The test's own connections, with the rights of the providers.
    pub(crate) pool: Pool<DB>,
    _directory: Option<TempDir>,
}

/// Which table the test is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// The one that `ensure_schema` makes, and beside it that of the history.
    Ours,
    /// The one that ShedLock's documentation shows.
    ShedLocks,
}

/// Where the providers of a test get their connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// From a pool that the program has.
    Pool,
    /// They make their own.
    Url,
}

/// A database with what a test does to it.
pub(crate) trait TestStore: SqlDatabase + Sized {
    /// The table as ShedLock's documentation shows it.
    const SHEDLOCKS_TABLE: &'static str;

    /// An empty database.
    fn place() -> impl Future<Output = Result<Place<Self>, Unavailable>> + Send;

    /// Removes the database of a test that has ended, where that makes room.
    fn discard(_place: &Place<Self>) {}

    /// Where a wrong password is refused: a URL, and the password in it.
    fn refused_login(
        place: &Place<Self>,
    ) -> impl Future<Output = Option<(String, &'static str)>> + Send;

    /// A way in for a user who may only read.
    fn read_only_user(place: &Place<Self>) -> impl Future<Output = Option<String>> + Send;

    /// Runs statements.
    fn run(
        pool: &Pool<Self>,
        statement: &str,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Runs statements on one connection.
    fn run_in(
        connection: &mut Self::Connection,
        statement: &str,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// What one statement finds in its first column.
    fn texts(pool: &Pool<Self>, statement: &str) -> impl Future<Output = Vec<String>> + Send;

    /// The row of a lock.
    fn peek(pool: &Pool<Self>, lock: &str) -> impl Future<Output = Peek> + Send;

    /// Deletes the row of a lock.
    fn delete(pool: &Pool<Self>, lock: &str) -> impl Future<Output = ()> + Send;

    /// Writes the row of a lock that was free long ago.
    fn insert_foreign(pool: &Pool<Self>, lock: &str) -> impl Future<Output = ()> + Send;
}

impl<DB: TestStore> Place<DB> {
    /// An empty database.
    pub(crate) async fn empty() -> Result<Self, Unavailable> {
        DB::place().await
    }

    /// An empty database with the table.
    pub(crate) async fn with(table: Table) -> Result<Self, Unavailable> {
        let place = DB::place().await?;
        place.make(table).await;
        Ok(place)
    }

    /// Makes the table.
    pub(crate) async fn make(&self, table: Table) {
        match table {
            Table::Ours => {
                let builder = SqlxLockProvider::builder(self.pool.clone());
                let provider = builder.history(HistoryOptions::new()).build();
                let provider = provider.expect("the options are valid");
                let made = provider.ensure_schema().await;
                made.expect("the tables can be made");
            }
            Table::ShedLocks => DB::run(&self.pool, DB::SHEDLOCKS_TABLE)
                .await
                .expect("the table can be made"),
        }
    }

    /// Options of a provider that goes that way.
    pub(crate) fn builder(&self, via: Via) -> SqlxLockProviderBuilder<DB> {
        match via {
            Via::Url => SqlxLockProvider::builder_from_url(&self.url),
            Via::Pool => {
                let pool = PoolOptions::new()
                    .max_connections(4)
                    .connect_lazy(&self.url)
                    .expect("the URL is valid");
                SqlxLockProvider::builder(pool)
            }
        }
    }

    /// A provider that goes that way.
    pub(crate) fn provider(&self, via: Via) -> SqlxLockProvider<DB> {
        self.builder(via).build().expect("the options are valid")
    }

    /// Runs a statement past the providers.
    pub(crate) async fn execute(&self, statement: &str) {
        if let Err(error) = DB::run(&self.pool, statement).await {
            panic!("failed to run `{statement}`: {error}");
        }
    }
}

/// The warnings, but for the one that is about the test kit's server, which need not outlive a loss of power.
pub(crate) fn warnings(report: &shedlock_sqlx::SchemaReport) -> Vec<String> {
    let is_ours = |warning: &&String| !warning.contains("innodb_flush_log_at_trx_commit");
    report.warnings().iter().filter(is_ours).cloned().collect()
}

/// For connections as an application may have them: neither strict nor READ COMMITTED.
pub(crate) fn not_strict() -> PoolOptions<sqlx::MySql> {
    PoolOptions::<sqlx::MySql>::new().after_connect(|connection, _| {
        Box::pin(async move {
            let mode = "SET SESSION sql_mode = ''";
            connection.execute(mode).await.map(drop)
        })
    })
}

async fn behind_proxy<DB: SqlDatabase>(direct: String, address: std::net::SocketAddr) -> Place<DB> {
    let proxy = Proxy::start(address).await.expect("a proxy can be started");
    Place {
        url: proxy.url(&direct),
        proxy: Some(proxy),
        pool: PoolOptions::new()
            .max_connections(2)
            .connect_lazy(&direct)
            .expect("the URL is valid"),
        direct,
        _directory: None,
    }
}

macro_rules! queries {
    ($placeholder:literal, $long_ago:literal) => {
        async fn run(pool: &Pool<Self>, statement: &str) -> Result<(), sqlx::Error> {
            let statement = AssertSqlSafe(statement.to_owned());
            pool.execute(sqlx::raw_sql(statement)).await.map(drop)
        }

        async fn run_in(
            connection: &mut Self::Connection,
            statement: &str,
        ) -> Result<(), sqlx::Error> {
            let statement = AssertSqlSafe(statement.to_owned());
            connection.execute(sqlx::raw_sql(statement)).await.map(drop)
        }

        async fn texts(pool: &Pool<Self>, statement: &str) -> Vec<String> {
            let rows = sqlx::query::<Self>(AssertSqlSafe(statement.to_owned()))
                .fetch_all(pool)
                .await;
            let rows = rows.unwrap_or_else(|error| panic!("failed to run `{statement}`: {error}"));
            rows.iter().map(|row| row.get_unchecked(0)).collect()
        }

        async fn peek(pool: &Pool<Self>, lock: &str) -> Peek {
            let query = concat!(
                "SELECT locked_by, CONCAT_WS('|', lock_until, locked_at, locked_by) FROM shedlock WHERE name = ",
                $placeholder
            );
            let row = sqlx::query::<Self>(query).bind(lock).fetch_optional(pool).await;
            match row.expect("the table can be read") {
                Some(row) => Peek::Found(Stored {
                    owner: Some(row.get_unchecked(0)),
                    record: row.get_unchecked(1),
                }),
                None => Peek::Absent,
            }
        }

        async fn delete(pool: &Pool<Self>, lock: &str) {
            let query = concat!("DELETE FROM shedlock WHERE name = ", $placeholder);
            let done = sqlx::query::<Self>(query).bind(lock).execute(pool).await;
            done.expect("the table can be written");
        }

        async fn insert_foreign(pool: &Pool<Self>, lock: &str) {
            let query = concat!(
                "INSERT INTO shedlock (name, lock_until, locked_at, locked_by) VALUES (",
                $placeholder, ", ", $long_ago, ", ", $long_ago, ", 'app.example')"
            );
            let done = sqlx::query::<Self>(query).bind(lock).execute(pool).await;
            done.expect("the table can be written");
        }
    };
}

impl TestStore for sqlx::Sqlite {
    const SHEDLOCKS_TABLE: &'static str = "CREATE TABLE shedlock(name VARCHAR(64) NOT NULL, lock_until TIMESTAMP(3) NOT NULL, \
         locked_at TIMESTAMP(3) NOT NULL, locked_by VARCHAR(255) NOT NULL, PRIMARY KEY (name))";

    async fn place() -> Result<Place<Self>, Unavailable> {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let url = format!("sqlite://{}/locks.db", directory.path().display());
        // The file must be there before a pool opens it.
        let options = url
            .parse::<sqlx::sqlite::SqliteConnectOptions>()
            .expect("the URL is valid")
            .create_if_missing(true)
            .busy_timeout(std::time::Duration::from_secs(30));
        let pool = PoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await
            .expect("the file can be opened");
        Ok(Place {
            direct: url.clone(),
            url,
            proxy: None,
            pool,
            _directory: Some(directory),
        })
    }

    async fn refused_login(_place: &Place<Self>) -> Option<(String, &'static str)> {
        None
    }

    async fn read_only_user(_place: &Place<Self>) -> Option<String> {
        None
    }

    queries!("?", "1577836800000");
}

impl TestStore for sqlx::Postgres {
    const SHEDLOCKS_TABLE: &'static str = "CREATE TABLE shedlock(name VARCHAR(64) NOT NULL, lock_until TIMESTAMP NOT NULL, \
         locked_at TIMESTAMP NOT NULL, locked_by VARCHAR(255) NOT NULL, PRIMARY KEY (name))";

    async fn place() -> Result<Place<Self>, Unavailable> {
        let server = Postgres::shared().await?;
        let direct = server.fresh_database().await;
        Ok(behind_proxy(direct, server.address()).await)
    }

    fn discard(place: &Place<Self>) {
        if let Some(Ok(server)) = PostgresKind::shared_slot().get() {
            server.discard_database(&place.direct);
        }
    }

    async fn refused_login(place: &Place<Self>) -> Option<(String, &'static str)> {
        let server = Postgres::shared().await.ok()?;
        Some((
            server
                .password_url(&place.direct)
                .replace("s3cret", "wr0ng-pw"),
            "wr0ng-pw",
        ))
    }

    async fn read_only_user(place: &Place<Self>) -> Option<String> {
        let server = Postgres::shared().await.ok()?;
        Some(server.read_only_url(&place.direct).await)
    }

    queries!("$1", "'2020-01-01 00:00:00'");
}

impl TestStore for sqlx::MySql {
    // Names differ by case and trailing blanks here only because of the collation.
    const SHEDLOCKS_TABLE: &'static str = "CREATE TABLE shedlock(name VARCHAR(64) NOT NULL, lock_until TIMESTAMP(3) NOT NULL, \
         locked_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), locked_by VARCHAR(255) NOT NULL, PRIMARY KEY (name)) \
         CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M!100202 COLLATE utf8mb4_nopad_bin */";

    async fn place() -> Result<Place<Self>, Unavailable> {
        if let Some(place) = other_server().await {
            return Ok(place);
        }
        let server = MariaDb::shared().await?;
        let direct = server.fresh_database().await;
        Ok(behind_proxy(direct, server.address()).await)
    }

    async fn refused_login(place: &Place<Self>) -> Option<(String, &'static str)> {
        if std::env::var_os(OTHER_SERVER).is_some() {
            return None;
        }
        let server = MariaDb::shared().await.ok()?;
        Some((
            server
                .password_url(&place.direct)
                .replace("s3cret", "wr0ng-pw"),
            "wr0ng-pw",
        ))
    }

    async fn read_only_user(place: &Place<Self>) -> Option<String> {
        if std::env::var_os(OTHER_SERVER).is_some() {
            return None;
        }
        let server = MariaDb::shared().await.ok()?;
        Some(server.read_only_url(&place.direct).await)
    }

    queries!("?", "'2020-01-01 00:00:00'");
}

/// A node for the suite.
pub(crate) fn shared<DB: SqlDatabase>(
    provider: SqlxLockProvider<DB>,
) -> Arc<dyn shedlock_runtime::LockProvider> {
    Arc::new(provider)
}

/// The URL of a MySQL server, with a user who may create databases, to be tested instead of MariaDB.
const OTHER_SERVER: &str = "SHEDLOCK_TEST_MYSQL_URL";

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A database on that server.
async fn other_server() -> Option<Place<sqlx::MySql>> {
    let url = std::env::var(OTHER_SERVER).ok()?;
    let (server, _database) = url.rsplit_once('/').expect("a URL with a database");
    let (_, address) = server.rsplit_once('@').expect("a URL with a user");
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("shedlock_{}_{number}", std::process::id());
    let admin = sqlx::MySqlPool::connect(&url)
        .await
        .expect("the server is there");
    for statement in [
        format!("DROP DATABASE IF EXISTS {name}"),
        format!("CREATE DATABASE {name}"),
    ] {
        let done = admin.execute(AssertSqlSafe(statement)).await;
        done.expect("the user may create databases");
    }
    let address = address.parse().expect("an address and a port");
    Some(behind_proxy(format!("{server}/{name}"), address).await)
}
