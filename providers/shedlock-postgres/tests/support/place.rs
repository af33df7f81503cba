//! A database for one test, and the ways to it.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::sync::Arc;

use shedlock_postgres::tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use shedlock_postgres::{PostgresLockProvider, PostgresLockProviderBuilder};
use shedlock_runtime::HistoryOptions;
use shedlock_testkit::conformance::{Peek, Stored};
use shedlock_testkit::servers::Postgres;
use shedlock_testkit::{Proxy, Unavailable};

/// The table as ShedLock's documentation shows it.
const SHEDLOCKS_TABLE: &str = "CREATE TABLE shedlock(name VARCHAR(64) NOT NULL, lock_until TIMESTAMP NOT NULL, \
     locked_at TIMESTAMP NOT NULL, locked_by VARCHAR(255) NOT NULL, PRIMARY KEY (name))";

/// A database of one test's own.
pub(crate) struct Place {
    pub(crate) server: Postgres,
    /// The way that the providers go.
    pub(crate) url: String,
    /// The same database without a proxy between.
    pub(crate) direct: String,
    /// What stands between.
    pub(crate) proxy: Proxy,
    /// The test's own connection, with the rights of the providers.
    client: Arc<Client>,
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
    /// They make their own.
    Url,
    /// A client that the program has.
    Client,
    /// A pool that the program has.
    #[cfg(feature = "deadpool")]
    Pool,
}

impl Via {
    pub(crate) const ALL: &[Self] = &[
        Self::Url,
        Self::Client,
        #[cfg(feature = "deadpool")]
        Self::Pool,
    ];
    /// Those that replace a connection.
    pub(crate) const REPLACING: &[Self] = &[
        Self::Url,
        #[cfg(feature = "deadpool")]
        Self::Pool,
    ];
}

impl Place {
    /// An empty database on the server that the tests of this process share.
    pub(crate) async fn empty() -> Result<Self, Unavailable> {
        Ok(Self::on(Postgres::shared().await?).await)
    }

    /// An empty database on this server.
    pub(crate) async fn on(server: &Postgres) -> Self {
        Self::at(server, server.fresh_database().await).await
    }

    /// A database with the table.
    pub(crate) async fn with(table: Table) -> Result<Self, Unavailable> {
        let place = Self::empty().await?;
        place.make(table).await;
        Ok(place)
    }

    /// The same database by a way of its own.
    pub(crate) async fn beside(other: &Self) -> Self {
        Self::at(&other.server, other.direct.clone()).await
    }

    /// This database, by a way of its own.
    pub(crate) async fn at(server: &Postgres, direct: String) -> Self {
        let proxy = Proxy::start(server.address()).await;
        let proxy = proxy.expect("a proxy can be started");
        Self {
            server: server.clone(),
            url: proxy.url(&direct),
            proxy,
            client: client(&direct).await,
            direct,
        }
    }

    /// A provider that goes straight to the server, to see what others see.
    pub(crate) fn provider_past_proxy(&self) -> PostgresLockProvider {
        let built = PostgresLockProvider::builder_from_url(&self.direct).build();
        built.expect("a valid URL")
    }

    /// Makes the table.
    pub(crate) async fn make(&self, table: Table) {
        match table {
            Table::Ours => {
                let builder = PostgresLockProvider::builder(Arc::clone(&self.client));
                let provider = builder.history(HistoryOptions::new()).build();
                let provider = provider.expect("the options are valid");
                let made = provider.ensure_schema().await;
                made.expect("the tables can be made");
            }
            Table::ShedLocks => self.execute(SHEDLOCKS_TABLE).await,
        }
    }

    /// Options of a provider that goes that way, through the proxy.
    pub(crate) async fn builder(&self, via: Via) -> PostgresLockProviderBuilder {
        builder(via, &self.url).await
    }

    /// A provider that goes that way.
    pub(crate) async fn provider(&self, via: Via) -> PostgresLockProvider {
        let built = self.builder(via).await.build();
        built.expect("the options are valid")
    }

    /// Runs statements past the providers.
    pub(crate) async fn execute(&self, statements: &str) {
        self.rows(statements).await;
    }

    /// The first column of the rows of a query.
    pub(crate) async fn rows(&self, query: &str) -> Vec<String> {
        rows(&self.client, query).await
    }

    /// The row of a lock.
    pub(crate) async fn peek(&self, lock: &str) -> Peek {
        let of = |what: &str| {
            let lock = literal(lock);
            format!("SELECT {what} FROM shedlock WHERE name = {lock}")
        };
        let whole = "CONCAT_WS('|', locked_by, lock_until, locked_at)";
        match self.rows(&of(whole)).await.pop() {
            Some(record) => Peek::Found(Stored {
                owner: record.split('|').next().map(str::to_owned),
                record,
            }),
            None => Peek::Absent,
        }
    }

    /// A number in the row of a lock; `None` without a row.
    async fn of_row(&self, lock: &str, what: &str) -> Option<i64> {
        let query = format!("SELECT {what} FROM shedlock WHERE name = '{lock}'");
        let text = self.rows(&query).await.pop()?;
        Some(text.parse().expect("a number"))
    }

    /// When the lease ends, in microseconds since 1970.
    pub(crate) async fn end_of(&self, lock: &str) -> Option<i64> {
        let end = "CAST(date_part('epoch', lock_until) * 1000000 AS bigint)";
        self.of_row(lock, end).await
    }

    /// How many milliseconds are left of the lease, by the database's clock; less than 0 after its end and without a row.
    pub(crate) async fn left_of(&self, lock: &str) -> i64 {
        let left = "CAST(date_part('epoch', lock_until - timezone('utc', clock_timestamp())) * 1000 AS bigint)";
        self.of_row(lock, left).await.unwrap_or(-1)
    }
}

/// Options of a provider that goes that way to `url`.
pub(crate) async fn builder(via: Via, url: &str) -> PostgresLockProviderBuilder {
    match via {
        Via::Url => PostgresLockProvider::builder_from_url(url),
        Via::Client => PostgresLockProvider::builder(client(url).await),
        #[cfg(feature = "deadpool")]
        Via::Pool => PostgresLockProvider::builder(pool(url, 4)),
    }
}

/// A client, as a program makes one.
pub(crate) async fn client(url: &str) -> Arc<Client> {
    let connected = shedlock_postgres::tokio_postgres::connect(url, NoTls).await;
    let (client, connection) = connected.expect("the database is there");
    drop(tokio::spawn(connection));
    Arc::new(client)
}

/// A pool, as a program makes one.
#[cfg(feature = "deadpool")]
pub(crate) fn pool(url: &str, size: usize) -> shedlock_postgres::deadpool_postgres::Pool {
    use shedlock_postgres::deadpool_postgres::{Manager, Pool};

    let manager = Manager::new(url.parse().expect("a valid URL"), NoTls);
    let pool = Pool::builder(manager).max_size(size).build();
    pool.expect("the options are valid")
}

/// Runs statements in one message; the first column of their rows.
pub(crate) async fn rows(client: &Client, query: &str) -> Vec<String> {
    let messages = client.simple_query(query).await;
    let messages = messages.unwrap_or_else(|error| panic!("failed to run `{query}`: {error:?}"));
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    };
    messages.into_iter().filter_map(row).collect()
}

/// A text as the server reads it.
pub(crate) fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
