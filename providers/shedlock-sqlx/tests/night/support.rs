//! What the tests share.

use std::time::{Duration, SystemTime};

use shedlock_testkit::Unavailable;
pub(crate) use shedlock_testkit::requests::{
    WORKS, ask, config, in_time, keep_for, limited, once, refused, request, take, until,
};
use sqlx::{AssertSqlSafe, Executor as _, MySql, Pool, Postgres, Row as _, Sqlite};

use crate::place::{Place, Table, TestStore};

pub(crate) const MINUTE: Duration = Duration::from_mins(1);

/// Makes a module of each test, with one for each database it is to be run on. The place has the table.
macro_rules! on_databases {
    ($($test:ident on $($database:ident)+;)+) => {$(
        mod $test {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $database() {
                let place = shedlock_testkit::server_or_skip!($crate::support::$database().await);
                $crate::support::in_time(super::$test(place)).await;
            }
        )+}
    )+};
}

pub(crate) async fn sqlite() -> Result<Place<Sqlite>, Unavailable> {
    Place::with(Table::Ours).await
}

pub(crate) async fn postgres() -> Result<Place<Postgres>, Unavailable> {
    Place::with(Table::Ours).await
}

pub(crate) async fn mysql() -> Result<Place<MySql>, Unavailable> {
    Place::with(Table::Ours).await
}

/// What a night does to a connection, and what it looks at afterwards.
pub(crate) trait Night: TestStore {
    /// Microseconds from 1970 to the end of the lease.
    const END: &'static str;
    /// Milliseconds to the end of the lease, by the clock of the database.
    const LEFT: &'static str;

    /// Runs statements on this connection, without preparing them.
    fn on(
        connection: &mut Self::Connection,
        statements: &str,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// What a query says on this connection, in its first row and column.
    fn text(
        connection: &mut Self::Connection,
        query: &str,
    ) -> impl Future<Output = Result<String, sqlx::Error>> + Send;

    /// Whether this connection is inside a transaction.
    fn in_transaction(connection: &mut Self::Connection) -> impl Future<Output = bool> + Send;
}

macro_rules! runs {
    () => {
        async fn on(connection: &mut Self::Connection, sql: &str) -> Result<(), sqlx::Error> {
            let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
            connection.execute(sql).await.map(drop)
        }

        async fn text(connection: &mut Self::Connection, sql: &str) -> Result<String, sqlx::Error> {
            let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
            let row = connection.fetch_one(sql).await?;
            row.try_get_unchecked(0)
        }
    };
}

impl Night for Sqlite {
    const END: &'static str = "CAST(lock_until * 1000 AS TEXT)";
    const LEFT: &'static str =
        "CAST(lock_until - CAST(unixepoch('subsec') * 1000 AS INTEGER) AS TEXT)";

    runs!();

    async fn in_transaction(connection: &mut Self::Connection) -> bool {
        // There is none within another.
        if Self::on(connection, "BEGIN").await.is_err() {
            return true;
        }
        Self::on(connection, "ROLLBACK").await.expect("just begun");
        false
    }
}

impl Night for Postgres {
    const END: &'static str =
        "CAST(CAST(date_part('epoch', lock_until) * 1000000 AS bigint) AS text)";
    const LEFT: &'static str = "CAST(CAST(date_part('epoch', lock_until - timezone('utc', \
         clock_timestamp())) * 1000 AS bigint) AS text)";

    runs!();

    async fn in_transaction(connection: &mut Self::Connection) -> bool {
        // The time of a transaction is that of its first statement.
        let query = "SELECT CAST(now() <> statement_timestamp() AS text)";
        Self::text(connection, query)
            .await
            .map_or(true, |differ| differ == "true")
    }
}

impl Night for MySql {
    const END: &'static str = "CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', lock_until) AS CHAR)";
    const LEFT: &'static str =
        "CAST(TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), lock_until) DIV 1000 AS CHAR)";

    runs!();

    async fn in_transaction(connection: &mut Self::Connection) -> bool {
        let query = "SELECT CAST(@@in_transaction AS CHAR)";
        let inside = Self::text(connection, query).await;
        inside.expect("the database answers") == "1"
    }
}

async fn of_row<DB: Night>(pool: &Pool<DB>, lock: &str, what: &str) -> Option<i64> {
    let query = format!("SELECT {what} FROM shedlock WHERE name = '{lock}'");
    let text = DB::texts(pool, &query).await.pop()?;
    Some(text.parse().expect("a number"))
}

/// When the lease ends, in microseconds since 1970; `None` without a row.
pub(crate) async fn end_of<DB: Night>(pool: &Pool<DB>, lock: &str) -> Option<i64> {
    of_row(pool, lock, DB::END).await
}

/// How many milliseconds are left of the lease, by the database's clock; less than 0 after its end and without a row.
pub(crate) async fn left_of<DB: Night>(pool: &Pool<DB>, lock: &str) -> i64 {
    of_row(pool, lock, DB::LEFT).await.unwrap_or(-1)
}

/// An hour from now.
pub(crate) fn later() -> SystemTime {
    SystemTime::now() + Duration::from_hours(1)
}
