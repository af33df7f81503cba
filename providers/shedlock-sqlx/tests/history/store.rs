//! What the tests of the history ask a database for, beside the providers.

use std::time::Duration;

use shedlock_testkit::servers::{MariaDb, Postgres as PostgresServer};
use sqlx::{MySql, Postgres, Sqlite};

use crate::place::{Place, TestStore};

pub(crate) trait HistoryStore: TestStore {
    /// This time since 1970 as the table keeps it, as a literal.
    fn time(since_1970: Duration) -> String;

    /// How many deadlocks the server has seen.
    fn deadlocks(place: &Place<Self>) -> impl Future<Output = u64> + Send;

    /// Grants rights on a table to the user of [`TestStore::read_only_user`].
    fn grant(place: &Place<Self>, rights: &str, table: &str) -> impl Future<Output = ()> + Send;
}

impl HistoryStore for Sqlite {
    fn time(since_1970: Duration) -> String {
        since_1970.as_micros().to_string()
    }

    async fn deadlocks(_place: &Place<Self>) -> u64 {
        0
    }

    async fn grant(_place: &Place<Self>, _rights: &str, _table: &str) {}
}

impl HistoryStore for Postgres {
    fn time(since_1970: Duration) -> String {
        format!(
            "TIMESTAMP 'epoch' + INTERVAL '{} seconds'",
            since_1970.as_secs()
        )
    }

    async fn deadlocks(place: &Place<Self>) -> u64 {
        let count = "SELECT CAST(deadlocks AS text) FROM pg_stat_database WHERE datname = current_database()";
        let count = Self::texts(&place.pool, count).await;
        count[0].parse().expect("a number")
    }

    async fn grant(place: &Place<Self>, rights: &str, table: &str) {
        let server = PostgresServer::shared().await.expect("it runs");
        let grant = format!("GRANT {rights} ON {table} TO shedlock_read_only");
        server.execute(&place.direct, &grant).await;
    }
}

impl HistoryStore for MySql {
    fn time(since_1970: Duration) -> String {
        format!(
            "TIMESTAMPADD(SECOND, {}, '1970-01-01')",
            since_1970.as_secs()
        )
    }

    async fn deadlocks(place: &Place<Self>) -> u64 {
        let count = "SELECT CAST(variable_value AS CHAR) FROM information_schema.global_status \
             WHERE variable_name = 'INNODB_DEADLOCKS'";
        let count = Self::texts(&place.pool, count).await;
        count[0].parse().expect("a number")
    }

    async fn grant(place: &Place<Self>, rights: &str, table: &str) {
        let server = MariaDb::shared().await.expect("it runs");
        let grant = format!("GRANT {rights} ON {table} TO shedlock_read_only@'%'");
        server.execute(&place.direct, &grant).await;
    }
}
