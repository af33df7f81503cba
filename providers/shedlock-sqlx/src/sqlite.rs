//! SQLite.

use std::str::FromStr as _;
use std::time::Duration;

use shedlock_runtime::{ErrorKind, LockError, LockInfo};
use shedlock_sql::{Description, Dialect, Fault, Names, Statement, Statements};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, Row as _, Sqlite, SqliteConnection};

use crate::admin::locks;
use crate::provider::SqlxLockProvider;
use crate::store::{Backend, Run, Store, Verdict};
use crate::{describe, error};

/// Keeps locks in a table of a SQLite database.
///
/// The nodes are processes of one machine on one file. Network file systems lose SQLite's own locks, and ours with them.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use shedlock_runtime::{LockConfiguration, LockProviderExt as _};
/// use shedlock_sqlx::SqliteLockProvider;
///
/// # let directory = tempfile::tempdir()?;
/// # let url = format!("sqlite://{}/shedlock.db", directory.path().display());
/// // `url` is "sqlite://shedlock.db" or the like.
/// let provider = SqliteLockProvider::connect(&url).await?;
/// provider.ensure_schema().await?;
///
/// let lock = provider.try_lock(LockConfiguration::new("mail", "5m")?).await?.expect("nobody holds it");
/// assert!(provider.try_lock(LockConfiguration::new("mail", "5m")?).await?.is_none());
/// lock.unlock().await?;
/// # Ok(())
/// # }
/// ```
pub type SqliteLockProvider = SqlxLockProvider<Sqlite>;

/// One step of waiting for another writer; the provider asks again for as long as there is time.
const BUSY: Duration = Duration::from_millis(250);

impl Store for Sqlite {}

impl Backend for Sqlite {
    type Lease = i64;

    const DIALECT: Dialect = Dialect::Sqlite;
    // One writer at a time: a second connection would wait for the first.
    const KEPT: usize = 1;
    const BUSY_IS_BRIEF: bool = true;
    const REFUSES_BAD_TABLES: bool = true;

    fn lease(micros: i64) -> i64 {
        micros
    }

    fn options(url: &str) -> Result<SqliteConnectOptions, LockError> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|error| error::url(Dialect::Sqlite, url, &error))?;
        if is_private(url, &options) {
            let private = "a database in memory or without a name is seen by one connection only";
            return Err(
                LockError::new(ErrorKind::Configuration, private).with_remedy(
                    "name a file, as in `sqlite://shedlock.db`, or use `InMemoryLockProvider`",
                ),
            );
        }
        Ok(options
            .create_if_missing(true)
            .busy_timeout(BUSY)
            .disable_statement_logging())
    }

    async fn set_up(_connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }

    async fn acquire(
        connection: &mut SqliteConnection,
        run: &Run<'_>,
        fencing: bool,
    ) -> Result<Verdict, sqlx::Error> {
        let statement = run.statements.acquire_on(fencing);
        // To the last row: SQLite commits after it, and the commit may fail.
        let mut granted = run
            .query::<Sqlite>(statement)
            .fetch_all(&mut *connection)
            .await;
        if granted.as_ref().err().and_then(error::fault::<Sqlite>) == Some(Fault::MissingKey) {
            // SQLite complains from memory: another process may have made the key. To read anything makes it look.
            connection
                .execute("SELECT COUNT(*) FROM sqlite_schema")
                .await?;
            granted = run
                .query::<Sqlite>(statement)
                .fetch_all(&mut *connection)
                .await;
        }
        let granted = granted?;
        if let Some(row) = granted.first() {
            // The lock is ours whatever the column holds.
            let token = row.try_get::<Option<i64>, _>(0).unwrap_or(None);
            let token = token.and_then(|token| token.try_into().ok());
            return Ok(Verdict::Granted { token });
        }
        let holder = &run.statements.holder;
        let rows = run
            .query::<Sqlite>(holder)
            .fetch_all(&mut *connection)
            .await?;
        let Some(row) = rows.first() else {
            return Ok(Verdict::Contended);
        };
        let kind: String = row.try_get(2)?;
        match row.try_get::<Option<i64>, _>(1)? {
            None if kind == "null" => Ok(Verdict::without_end()),
            None => Ok(Verdict::Unusable {
                problem: format!("the end of the lease is {kind}; expected integer milliseconds"),
                remedy: "set the row's `lock_until` to 0, or delete the row".to_owned(),
            }),
            Some(millis) if millis > 0 => Ok(Verdict::Held {
                owner: row.try_get::<Option<String>, _>(0)?.unwrap_or_default(),
                remaining: Duration::from_millis(millis.unsigned_abs()),
            }),
            Some(_ended) => Ok(Verdict::Contended),
        }
    }

    async fn change(
        connection: &mut SqliteConnection,
        statement: &Statement,
        run: &Run<'_>,
    ) -> Result<u64, sqlx::Error> {
        let done = run.query::<Sqlite>(statement).execute(connection).await?;
        Ok(done.rows_affected())
    }

    async fn read(
        connection: &mut SqliteConnection,
        statement: &Statement,
        run: &Run<'_>,
    ) -> Result<Vec<LockInfo>, sqlx::Error> {
        let query = run.query::<Sqlite>(statement);
        locks(&query.fetch_all(connection).await?)
    }

    async fn describe(
        connection: &mut SqliteConnection,
        names: &Names,
        statements: &Statements,
    ) -> Result<Description, sqlx::Error> {
        describe::sqlite(connection, names, statements).await
    }

    async fn execute(
        connection: &mut SqliteConnection,
        statement: String,
    ) -> Result<(), sqlx::Error> {
        connection.execute(AssertSqlSafe(statement)).await.map(drop)
    }
}

/// Whether no other process, nor a second connection, would see the locks.
fn is_private(url: &str, options: &SqliteConnectOptions) -> bool {
    let (database, query) = url.split_once('?').unwrap_or((url, ""));
    database.ends_with(":memory:")
        || query.split('&').any(|pair| pair == "mode=memory")
        || options.get_filename().as_os_str().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_that_nobody_else_sees_are_refused() {
        for url in [
            "sqlite::memory:",
            "sqlite://:memory:",
            "sqlite://locks.db?mode=memory&cache=shared",
            "sqlite:",
            "sqlite://",
        ] {
            let error = Sqlite::options(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(
                error.to_string().contains("seen by one connection only"),
                "{url}: {error}"
            );
        }
        assert!(Sqlite::options("sqlite://locks.db").is_ok());
    }
}
