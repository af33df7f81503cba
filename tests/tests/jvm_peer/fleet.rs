//! A table that a JVM node and Rust nodes share.

use std::sync::Arc;

use shedlock_runtime::{LockAdmin, LockProvider};
use shedlock_sqlx::sqlx::{self, Connection as _, Row as _, SqliteConnection};
use shedlock_sqlx::{LockClock, SqlDatabase, SqlxLockProvider};
use shedlock_testkit::servers::{MariaDb, Postgres, Unavailable};
use shedlock_tests::jvm::{JavaClock, JavaNode, NodeOptions};
use tempfile::TempDir;

/// The tables as ShedLock's README gives them.
const POSTGRES_TABLE: &str = "CREATE TABLE shedlock(name VARCHAR(64) NOT NULL, lock_until TIMESTAMP NOT NULL, \
    locked_at TIMESTAMP NOT NULL, locked_by VARCHAR(255) NOT NULL, PRIMARY KEY (name))";
const MARIADB_TABLE: &str = "CREATE TABLE shedlock(name VARCHAR(64) NOT NULL, lock_until TIMESTAMP(3) NOT NULL, \
    locked_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), locked_by VARCHAR(255) NOT NULL, PRIMARY KEY (name))";

/// What a fleet is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) server: Server,
    pub(crate) table: Table,
    pub(crate) java: JavaClock,
    pub(crate) rust: LockClock,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Server {
    Postgres,
    MariaDb,
    Sqlite,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Table {
    /// As ShedLock documents it.
    ShedLocks,
    /// As `ensure_schema()` makes it.
    Ours,
}

/// Zones east and west of UTC, so that a mistake of either sign shows.
pub(crate) const TOKYO: &str = "Asia/Tokyo";
pub(crate) const LOS_ANGELES: &str = "America/Los_Angeles";

/// A JVM node, and what starts Rust nodes beside it.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) java: JavaNode,
    pub(crate) url: String,
    site: Site,
    rust: LockClock,
}

#[derive(Debug)]
enum Site {
    Postgres(Postgres),
    MariaDb(MariaDb),
    Sqlite(TempDir),
}

impl Fleet {
    /// Starts a fleet in a database of its own.
    pub(crate) async fn start(setup: Setup) -> Result<Self, Unavailable> {
        Self::start_in(setup, TOKYO).await
    }

    /// Starts a fleet whose JVM is in `zone`.
    pub(crate) async fn start_in(setup: Setup, zone: &str) -> Result<Self, Unavailable> {
        let site = match setup.server {
            Server::Postgres => Site::Postgres(Postgres::shared().await?.clone()),
            Server::MariaDb => Site::MariaDb(MariaDb::shared().await?.clone()),
            Server::Sqlite => Site::Sqlite(tempfile::tempdir().unwrap()),
        };
        Self::start_at(site, setup, zone).await
    }

    /// Starts a fleet on a MariaDB server of its own with further arguments.
    pub(crate) async fn start_on_mariadb(
        arguments: &[&str],
        setup: Setup,
    ) -> Result<Self, Unavailable> {
        let server = MariaDb::start_with(arguments).await?;
        Self::start_at(Site::MariaDb(server), setup, TOKYO).await
    }

    async fn start_at(site: Site, setup: Setup, zone: &str) -> Result<Self, Unavailable> {
        let peer = crate::java_peer().await?;
        let url = site.fresh_url().await;
        site.create_table(setup.table, &url).await;
        let java = peer
            .start(&NodeOptions {
                url: url.clone(),
                table: "shedlock".to_owned(),
                clock: setup.java,
                zone: zone.to_owned(),
            })
            .await;
        Ok(Self {
            java,
            url,
            site,
            rust: setup.rust,
        })
    }

    /// A Rust node.
    pub(crate) async fn rust(&self) -> Arc<dyn LockProvider> {
        self.site.provider(&self.url, self.rust).await
    }

    /// A Rust node for an operator.
    pub(crate) async fn operator(&self) -> Arc<dyn LockAdmin> {
        self.site.provider(&self.url, self.rust).await
    }

    /// The lock's row as text, to see whether somebody has written it.
    pub(crate) async fn row(&self, name: &str) -> String {
        let select = format!("SELECT * FROM shedlock WHERE name = '{name}'");
        let row = match &self.site {
            Site::Postgres(server) => server.execute(&self.url, &select).await,
            Site::MariaDb(server) => server.execute(&self.url, &select).await,
            Site::Sqlite(_) => sqlite_row(&self.url, name).await,
        };
        assert!(row.contains(name), "no row for `{name}`");
        row
    }
}

impl Site {
    async fn fresh_url(&self) -> String {
        match self {
            Self::Postgres(server) => server.fresh_database().await,
            Self::MariaDb(server) => server.fresh_database().await,
            Self::Sqlite(directory) => {
                format!("sqlite://{}/shedlock.db", directory.path().display())
            }
        }
    }

    async fn create_table(&self, table: Table, url: &str) {
        match (self, table) {
            (Self::Postgres(_), Table::Ours) => ensure_schema::<sqlx::Postgres>(url).await,
            (Self::MariaDb(_), Table::Ours) => ensure_schema::<sqlx::MySql>(url).await,
            (Self::Sqlite(_), Table::Ours) => ensure_schema::<sqlx::Sqlite>(url).await,
            (Self::Postgres(server), Table::ShedLocks) => {
                // For the role that the nodes connect as.
                let statements =
                    format!("{POSTGRES_TABLE}; ALTER TABLE shedlock OWNER TO shedlock");
                server.execute(url, &statements).await;
            }
            (Self::MariaDb(server), Table::ShedLocks) => {
                server.execute(url, MARIADB_TABLE).await;
            }
            (Self::Sqlite(_), Table::ShedLocks) => panic!("ShedLock documents no table for SQLite"),
        }
    }

    async fn provider(&self, url: &str, clock: LockClock) -> Arc<dyn LockAdmin> {
        match self {
            Self::Postgres(_) => Arc::new(connect::<sqlx::Postgres>(url, clock).await),
            Self::MariaDb(_) => Arc::new(connect::<sqlx::MySql>(url, clock).await),
            Self::Sqlite(_) => Arc::new(connect::<sqlx::Sqlite>(url, clock).await),
        }
    }
}

async fn ensure_schema<DB: SqlDatabase>(url: &str) {
    let provider = connect::<DB>(url, LockClock::Database).await;
    provider.ensure_schema().await.unwrap();
}

async fn connect<DB: SqlDatabase>(url: &str, clock: LockClock) -> SqlxLockProvider<DB> {
    let builder = SqlxLockProvider::<DB>::builder_from_url(url).clock(clock);
    builder.connect().await.unwrap()
}

async fn sqlite_row(url: &str, name: &str) -> String {
    let mut connection = SqliteConnection::connect(url).await.unwrap();
    let row = sqlx::query(
        "SELECT concat_ws('|', name, lock_until, locked_at, locked_by, fencing_token) FROM shedlock WHERE name = ?",
    )
    .bind(name)
    .fetch_one(&mut connection)
    .await
    .unwrap();
    row.get(0)
}
