//! The conformance suite on each database, with each way to connect and each table.

#![cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql"))]

#[path = "support/place.rs"]
mod place;

use std::sync::Arc;

use shedlock_runtime::{ErrorKind, Fencing, HistoryOptions, LockAdmin, LockProvider, async_trait};
use shedlock_sqlx::SqlxLockProvider;
use shedlock_testkit::conformance::{Broken, Harness, Peek, WrongClock};
use shedlock_testkit::{Proxy, Unavailable};

use place::{Place, Table, TestStore, Via, shared};

/// One database of the suite.
struct Subject<DB: TestStore> {
    place: Place<DB>,
    table: Table,
    via: Via,
}

impl<DB: TestStore> Drop for Subject<DB> {
    fn drop(&mut self) {
        DB::discard(&self.place);
    }
}

impl<DB: TestStore> Subject<DB> {
    async fn new(via: Via, table: Table) -> Result<Self, Unavailable> {
        let place = Place::with(table).await?;
        Ok(Self { place, table, via })
    }

    /// A node, which keeps a history in our own table.
    fn provider(&self, name: &str) -> SqlxLockProvider<DB> {
        let builder = self.place.builder(self.via).node_name(name);
        let builder = match self.table {
            Table::Ours => builder.history(HistoryOptions::new()),
            Table::ShedLocks => builder,
        };
        builder.build().expect("the options are valid")
    }
}

#[async_trait]
impl<DB: TestStore> Harness for Subject<DB> {
    fn fencing(&self) -> Option<Fencing> {
        match self.table {
            Table::Ours => None,
            Table::ShedLocks => Some(Fencing::None),
        }
    }

    fn keeps_positions(&self) -> Option<bool> {
        Some(matches!(self.table, Table::Ours))
    }

    async fn node(&self, name: &str) -> Arc<dyn LockProvider> {
        shared(self.provider(name))
    }

    async fn admin(&self, name: &str) -> Option<Arc<dyn LockAdmin>> {
        Some(Arc::new(self.provider(name)))
    }

    fn address(&self) -> Option<String> {
        Some(self.place.direct.clone())
    }

    async fn node_with_wrong_clock(
        &self,
        name: &str,
        ahead: bool,
    ) -> Option<Arc<dyn LockProvider>> {
        let builder = self.place.builder(self.via).node_name(name);
        let built = builder.time_source(WrongClock { ahead }).build();
        Some(shared(built.expect("the options are valid")))
    }

    async fn peek(&self, lock: &str) -> Peek {
        DB::peek(&self.place.pool, lock).await
    }

    async fn delete(&self, lock: &str) -> bool {
        DB::delete(&self.place.pool, lock).await;
        true
    }

    async fn insert_foreign(&self, lock: &str) -> bool {
        DB::insert_foreign(&self.place.pool, lock).await;
        true
    }

    async fn remove_schema(&self) -> bool {
        self.place.execute("DROP TABLE shedlock").await;
        true
    }

    async fn restore_schema(&self) {
        self.place.make(self.table).await;
    }

    fn proxy(&self) -> Option<&Proxy> {
        self.place.proxy.as_ref()
    }

    async fn broken(&self) -> Vec<Broken> {
        let place = &self.place;
        let missing = place.builder(self.via).table_name("nowhere").build();
        let missing = shared(missing.expect("the options are valid"));
        let mut broken = vec![
            Broken::new("a missing table", missing, ErrorKind::Schema)
                .mentioning("`nowhere` does not exist")
                .mentioning("CREATE TABLE"),
        ];
        let from_url = |url: &str| {
            shared(
                SqlxLockProvider::<DB>::builder_from_url(url)
                    .build()
                    .expect("a valid URL"),
            )
        };
        if let Some((url, password)) = DB::refused_login(place).await {
            let refused = from_url(&url);
            broken.push(
                Broken::new("a wrong password", refused, ErrorKind::Configuration).hiding(password),
            );
            let nobody = url.replace(&format!(":{}/", port_of(&url)), ":1/");
            let nobody = Broken::new("no server", from_url(&nobody), ErrorKind::Unavailable);
            broken.push(nobody.hiding(password));
        }
        if let Some(url) = DB::read_only_user(place).await {
            broken.push(
                Broken::new("a read-only user", from_url(&url), ErrorKind::Permission)
                    .mentioning("GRANT SELECT, INSERT, UPDATE ON"),
            );
        }
        broken
    }
}

fn port_of(url: &str) -> &str {
    let (before, _database) = url.rsplit_once('/').expect("a database");
    before.rsplit_once(':').expect("a port").1
}

macro_rules! suites {
    ($($db:ident: $url_ours:ident, $pool_ours:ident, $url_shedlocks:ident, $pool_shedlocks:ident;)*) => {$(
        shedlock_testkit::conformance!(
            $url_ours,
            Subject::<sqlx::$db>::new(Via::Url, Table::Ours),
            processes = async |url: String, node: String| {
                let builder = SqlxLockProvider::<sqlx::$db>::builder_from_url(&url);
                shared(builder.node_name(&node).connect().await.expect("the database is there"))
            },
        );
        shedlock_testkit::conformance!($pool_ours, Subject::<sqlx::$db>::new(Via::Pool, Table::Ours));
        shedlock_testkit::conformance!($url_shedlocks, Subject::<sqlx::$db>::new(Via::Url, Table::ShedLocks));
        shedlock_testkit::conformance!($pool_shedlocks, Subject::<sqlx::$db>::new(Via::Pool, Table::ShedLocks));
    )*};
}

suites! {
    Sqlite: sqlite, sqlite_pool, sqlite_plain, sqlite_pool_plain;
    Postgres: postgres, postgres_pool, postgres_plain, postgres_pool_plain;
    MySql: mysql, mysql_pool, mysql_plain, mysql_pool_plain;
}
