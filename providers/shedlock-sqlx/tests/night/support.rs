//! What the tests share.

use std::time::{Duration, SystemTime};

use shedlock_runtime::{
    AcquireRequest, Acquisition, ErrorKind, Lease, LockConfiguration, LockError, LockProvider,
    LockProviderExt as _, Refusal,
};
use shedlock_testkit::Unavailable;
use sqlx::{AssertSqlSafe, Executor as _, MySql, Pool, Postgres, Row as _, Sqlite};

use crate::place::{Place, Table, TestStore};

/// No wait of a test is longer: what has not happened by then never will.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// So long may a call take.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);
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

/// The result of `test`, which is to have one before long.
pub(crate) async fn in_time<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, test)
        .await
        .expect("it takes no longer than the longest wait of a test")
}

/// Waits until `condition` holds, asking every few milliseconds.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let holds = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE / 4, holds).await;
    assert!(waited.is_ok(), "it is not so after a while: {what}");
}

pub(crate) fn config(name: &str) -> LockConfiguration {
    LockConfiguration::new(name, "10m").expect("a legal configuration")
}

pub(crate) fn request(provider: &impl LockProvider, config: LockConfiguration) -> AcquireRequest {
    AcquireRequest::new(config, provider.info().clock().boot())
}

/// A lease that is to be had.
pub(crate) async fn take(provider: &impl LockProvider, name: &str) -> Lease {
    match ask(provider, name).await {
        Ok(Acquisition::Granted(lease)) => lease,
        other => panic!("`{name}` is free, and the answer is {other:?}"),
    }
}

/// Asks the provider itself. Its caller limits the time, so this does.
pub(crate) async fn ask(
    provider: &impl LockProvider,
    name: &str,
) -> Result<Acquisition, LockError> {
    let request = request(provider, config(name));
    limited(provider.acquire(&request)).await
}

/// As the runtime does, but without an orphan that is looked for afterwards.
pub(crate) async fn limited<T>(
    asked: impl Future<Output = Result<T, LockError>>,
) -> Result<T, LockError> {
    match tokio::time::timeout(LIMIT, asked).await {
        Ok(answer) => answer,
        Err(_elapsed) => {
            let problem = format!("no answer within {LIMIT:?}");
            Err(LockError::new(ErrorKind::Timeout, problem))
        }
    }
}

/// Why the lock, which is held, is refused.
pub(crate) async fn refused(provider: &impl LockProvider, name: &str) -> Refusal {
    match ask(provider, name).await {
        Ok(Acquisition::Refused(refusal)) => refusal,
        other => panic!("`{name}` is held, and the answer is {other:?}"),
    }
}

/// Takes a lock and gives it back at once, and says what came of it.
pub(crate) async fn once<P: LockProvider + Clone>(provider: &P, name: &str) -> String {
    match in_time(provider.try_lock(config(name))).await {
        Ok(Some(lock)) => match lock.unlock().await {
            Ok(released) => format!("granted, then {released:?}"),
            Err(error) => format!("granted, then {error}"),
        },
        Ok(None) => "refused".to_owned(),
        Err(error) => format!("{:?}: {error}", error.kind()),
    }
}

/// What [`once`] says of a lock that works.
pub(crate) const WORKS: &str = "granted, then Ours";

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

/// How long a release keeps the lock taken, as the runtime reckons it.
pub(crate) fn keep_for(provider: &impl LockProvider, lease: &Lease) -> Duration {
    lease.at_least_left(provider.info().clock())
}
