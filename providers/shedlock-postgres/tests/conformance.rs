//! The conformance suite with each way to connect, and with each table.

#[path = "support/place.rs"]
mod place;

use std::sync::Arc;

use shedlock_postgres::PostgresLockProvider;
use shedlock_runtime::{ErrorKind, Fencing, HistoryOptions, LockAdmin, LockProvider, async_trait};
use shedlock_testkit::conformance::{Broken, Harness, Peek, WrongClock};
use shedlock_testkit::{Proxy, Unavailable};

use place::{Place, Table, Via};

/// One database of the suite.
struct Subject {
    place: Place,
    table: Table,
    via: Via,
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.place.server.discard_database(&self.place.direct);
    }
}

impl Subject {
    async fn new(via: Via, table: Table) -> Result<Self, Unavailable> {
        let place = Place::with(table).await?;
        Ok(Self { place, table, via })
    }

    async fn provider(&self, node: &str) -> PostgresLockProvider {
        let builder = self.place.builder(self.via).await.node_name(node);
        // A node keeps a history in our own table.
        let builder = match self.table {
            Table::Ours => builder.history(HistoryOptions::new()),
            Table::ShedLocks => builder,
        };
        builder.build().expect("the options are valid")
    }
}

#[async_trait]
impl Harness for Subject {
    fn fencing(&self) -> Option<Fencing> {
        match self.table {
            Table::Ours => None,
            Table::ShedLocks => Some(Fencing::None),
        }
    }

    fn keeps_positions(&self) -> Option<bool> {
        Some(self.table == Table::Ours)
    }

    async fn node(&self, name: &str) -> Arc<dyn LockProvider> {
        Arc::new(self.provider(name).await)
    }

    async fn admin(&self, name: &str) -> Option<Arc<dyn LockAdmin>> {
        Some(Arc::new(self.provider(name).await))
    }

    fn address(&self) -> Option<String> {
        Some(self.place.direct.clone())
    }

    async fn node_with_wrong_clock(
        &self,
        name: &str,
        ahead: bool,
    ) -> Option<Arc<dyn LockProvider>> {
        let builder = self.place.builder(self.via).await.node_name(name);
        let built = builder.time_source(WrongClock { ahead }).build();
        Some(Arc::new(built.expect("the options are valid")))
    }

    async fn peek(&self, lock: &str) -> Peek {
        self.place.peek(lock).await
    }

    async fn delete(&self, lock: &str) -> bool {
        let delete = format!("DELETE FROM shedlock WHERE name = {}", place::literal(lock));
        self.place.execute(&delete).await;
        true
    }

    async fn insert_foreign(&self, lock: &str) -> bool {
        let long_ago = "'2020-01-01 00:00:00'";
        let insert = format!(
            "INSERT INTO shedlock (name, lock_until, locked_at, locked_by) VALUES ({}, {long_ago}, {long_ago}, 'app.example')",
            place::literal(lock)
        );
        self.place.execute(&insert).await;
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
        // A program opens another client itself.
        (self.via != Via::Client).then_some(&self.place.proxy)
    }

    async fn broken(&self) -> Vec<Broken> {
        let from_url = |url: &str| -> Arc<dyn LockProvider> {
            let built = PostgresLockProvider::builder_from_url(url).build();
            Arc::new(built.expect("a valid URL"))
        };
        let missing = self
            .place
            .builder(self.via)
            .await
            .table_name("nowhere")
            .build();
        let missing = Arc::new(missing.expect("the options are valid"));
        let password = "wr0ng-pw";
        let url = self.place.server.password_url(&self.place.direct);
        let wrong = url.replace("s3cret", password);
        let port = self.place.server.port().to_string();
        let nobody = wrong.replace(&port, "1");
        let reader = self.place.server.read_only_url(&self.place.direct).await;
        vec![
            Broken::new("a missing table", missing, ErrorKind::Schema)
                .mentioning("`nowhere` does not exist")
                .mentioning("CREATE TABLE"),
            Broken::new(
                "a wrong password",
                from_url(&wrong),
                ErrorKind::Configuration,
            )
            .hiding(password),
            Broken::new("no server", from_url(&nobody), ErrorKind::Unavailable).hiding(password),
            Broken::new("a read-only user", from_url(&reader), ErrorKind::Permission)
                .mentioning("GRANT SELECT, INSERT, UPDATE ON"),
        ]
    }
}

shedlock_testkit::conformance!(
    url,
    Subject::new(Via::Url, Table::Ours),
    processes = async |url: String, node: String| {
        let builder = PostgresLockProvider::builder_from_url(&url);
        let connected = builder.node_name(&node).connect().await;
        Arc::new(connected.expect("the database is there")) as Arc<dyn LockProvider>
    },
);
shedlock_testkit::conformance!(
    client,
    Subject::new(Via::Client, Table::Ours),
    processes = async |url: String, node: String| {
        let client = place::client(&url).await;
        let built = PostgresLockProvider::builder(client)
            .node_name(&node)
            .build();
        Arc::new(built.expect("the options are valid")) as Arc<dyn LockProvider>
    },
);
shedlock_testkit::conformance!(url_plain, Subject::new(Via::Url, Table::ShedLocks));

#[cfg(feature = "deadpool")]
shedlock_testkit::conformance!(
    pool,
    Subject::new(Via::Pool, Table::Ours),
    processes = async |url: String, node: String| {
        let built = PostgresLockProvider::builder(place::pool(&url, 4))
            .node_name(&node)
            .build();
        Arc::new(built.expect("the options are valid")) as Arc<dyn LockProvider>
    },
);
#[cfg(feature = "deadpool")]
shedlock_testkit::conformance!(pool_plain, Subject::new(Via::Pool, Table::ShedLocks));
