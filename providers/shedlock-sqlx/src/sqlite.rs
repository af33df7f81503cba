//! SQLite.

use std::path::Path;
use std::str::FromStr as _;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use shedlock_runtime::{ErrorKind, LockError, LockInfo};
use shedlock_sql::{
    Description, Dialect, Fault, Names, Sending, Statement, Statements, TokenColumn,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _, Sqlite,
    SqliteConnection, SqlitePool,
};

use crate::admin::locks;
use crate::provider::SqlxLockProvider;
use crate::store::{Backend, Found, Home, Run, Store, Verdict, is_inside_transaction};
use crate::{describe, error, url};

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
    const IS_REMOTE: bool = false;
    const BUSY_IS_BRIEF: bool = true;
    const WAITS: Duration = BUSY;
    const REFUSES_BAD_TABLES: bool = true;

    fn lease(micros: i64) -> i64 {
        micros
    }

    fn options(url: &str) -> Result<Vec<SqliteConnectOptions>, LockError> {
        url::servers(Dialect::Sqlite, url)?;
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|error| url::invalid(Dialect::Sqlite, url, &error))?;
        if is_private(url, &options) {
            let private = "a database in memory or without a name is seen by one connection only";
            return Err(
                LockError::new(ErrorKind::Configuration, private).with_remedy(
                    "name a file, as in `sqlite://shedlock.db`, or use `InMemoryLockProvider`",
                ),
            );
        }
        // A file that is not to be written is not to be made either.
        let reads_only = url.contains("mode=ro") || url.contains("immutable=");
        Ok(vec![
            options
                .create_if_missing(!reads_only)
                .busy_timeout(BUSY)
                .disable_statement_logging(),
        ])
    }

    async fn open(
        options: &SqliteConnectOptions,
        _behind_pooler: &AtomicBool,
    ) -> Result<SqliteConnection, sqlx::Error> {
        SqliteConnection::connect_with(options).await
    }

    fn home(options: &SqliteConnectOptions) -> Option<Home> {
        identity(options.get_filename())
    }

    fn of_our_own(options: &SqliteConnectOptions) -> SqliteConnectOptions {
        let options = options.clone().busy_timeout(BUSY);
        options.disable_statement_logging()
    }

    async fn refuse_pool(
        connection: &mut SqliteConnection,
        pool: &SqlitePool,
    ) -> Result<Option<LockError>, sqlx::Error> {
        if pool.options().get_max_connections() <= 1 {
            return Ok(None);
        }
        let main = sqlx::raw_sql("SELECT file FROM pragma_database_list WHERE name = 'main'");
        let file: Option<String> = connection.fetch_one(main).await?.try_get(0)?;
        let options = pool.connect_options();
        // SQLite shares what is in memory by names that begin so, and by no others.
        let is_shared = options
            .get_filename()
            .to_string_lossy()
            .starts_with("file:");
        let is_private = file.unwrap_or_default().is_empty() && !is_shared;
        Ok(is_private.then(|| {
            let private = "each connection of the pool has a database of its own, in memory or without a name";
            LockError::new(ErrorKind::Configuration, private).with_remedy(
                "name a file, share the memory as `sqlite::memory:` does, or give the pool `max_connections(1)`",
            )
        }))
    }

    // An unqualified name means the schema `main`: see `Names::quoted_table`.
    async fn find(
        _connection: &mut SqliteConnection,
        _names: &Names,
    ) -> Result<Found, sqlx::Error> {
        Ok(Found::Table {
            schema: Some("main".to_owned()),
            statements_tell: false,
        })
    }

    async fn is_inside_transaction(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
        is_inside_transaction(connection, "").await
    }

    async fn acquire(
        connection: &mut SqliteConnection,
        run: &Run<'_>,
        fencing: TokenColumn,
        again: Sending,
    ) -> Result<Verdict, sqlx::Error> {
        let statement = run.statements.acquire(fencing, again);
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
            if row.try_get::<Option<i64>, _>(0)? != Some(1) {
                return Ok(Verdict::TooLate);
            }
            // The lock is ours whatever the column holds.
            let token = row.try_get::<Option<i64>, _>(1).unwrap_or(None);
            let token = token.and_then(|token| token.try_into().ok());
            return Ok(Verdict::Granted { token });
        }
        Ok(holder(connection, run).await?.unwrap_or(Verdict::Contended))
    }

    async fn holder(
        connection: &mut SqliteConnection,
        run: &Run<'_>,
        _fencing: TokenColumn,
    ) -> Result<Option<Verdict>, sqlx::Error> {
        let verdict = holder(connection, run).await?;
        Ok(verdict.filter(|verdict| matches!(verdict, Verdict::Held { .. })))
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

/// Whose the row is, and for how long.
async fn holder(
    connection: &mut SqliteConnection,
    run: &Run<'_>,
) -> Result<Option<Verdict>, sqlx::Error> {
    let query = run.query::<Sqlite>(run.statements.holder(TokenColumn::Present));
    let rows = query.fetch_all(&mut *connection).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    if row.try_get::<Option<i64>, _>(3)? != Some(1) {
        return Ok(Some(Verdict::other_name()));
    }
    let kind: String = row.try_get(2)?;
    Ok(Some(match row.try_get::<Option<i64>, _>(1)? {
        None if kind == "null" => Verdict::without_end(),
        None => Verdict::Unusable {
            problem: format!("the end of the lease is {kind}; expected integer milliseconds"),
            remedy: "set the row's `lock_until` to 0, or delete the row".to_owned(),
        },
        Some(millis) if millis > 0 => Verdict::Held {
            owner: row.try_get::<Option<String>, _>(0)?.unwrap_or_default(),
            remaining: Duration::from_millis(millis.unsigned_abs()),
        },
        Some(_ended) => Verdict::Contended,
    }))
}

/// Which file has this name now: SQLite goes on in the one that it has open, also after that was deleted or replaced.
#[cfg(target_os = "linux")]
fn identity(file: &Path) -> Option<Home> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};

    // What the system remembers is enough, so there is nothing to wait for: another thread would cost ten times as much.
    let found = statx(CWD, file, AtFlags::STATX_DONT_SYNC, StatxFlags::INO).ok()?;
    let device = makedev(found.stx_dev_major, found.stx_dev_minor);
    Some(Home(device, found.stx_ino))
}

#[cfg(all(unix, not(target_os = "linux")))]
fn identity(file: &Path) -> Option<Home> {
    let found = rustix::fs::stat(file).ok()?;
    Some(Home(found.st_dev as u64, found.st_ino))
}

/// Elsewhere, a file that is open cannot be deleted or replaced.
#[cfg(not(unix))]
fn identity(_file: &Path) -> Option<Home> {
    None
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
