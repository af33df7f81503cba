//! SQLite.

use std::path::Path;
use std::str::FromStr as _;
use std::sync::atomic::AtomicBool;

use shedlock_runtime::{ErrorKind, LockError};
use shedlock_sql::{BoundStatement, Dialect, Done, Row, url};
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _, Sqlite,
    SqliteConnection, SqlitePool,
};

use crate::database::{Backend, Home, SqlDatabase, SqlxRow, is_inside_transaction, query};
use crate::provider::SqlxLockProvider;

/// A lock provider that stores its locks in a table of a SQLite database.
///
/// All nodes are processes on one machine that share one file. Network file systems are unsafe: SQLite's own file locks do not work there.
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

impl SqlDatabase for Sqlite {}

impl Backend for Sqlite {
    type Lease = i64;
    type AnswerRow = SqlxRow<SqliteRow>;

    const DIALECT: Dialect = Dialect::Sqlite;
    // SQLite has one writer at a time: a second connection would wait for the first.
    const OWN_CONNECTIONS: usize = 1;
    const IS_REMOTE: bool = false;

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
        // A read-only file must not be created either.
        let reads_only = url.contains("mode=ro") || url.contains("immutable=");
        Ok(vec![
            options
                .create_if_missing(!reads_only)
                .busy_timeout(Dialect::Sqlite.row_wait())
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

    fn own_options(options: &SqliteConnectOptions) -> SqliteConnectOptions {
        let options = options.clone().busy_timeout(Dialect::Sqlite.row_wait());
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
        // SQLite shares a database in memory only by names that begin with `file:`.
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

    async fn is_inside_transaction(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
        is_inside_transaction(connection, "").await
    }

    async fn fetch(
        connection: &mut SqliteConnection,
        bound: &BoundStatement<'_>,
    ) -> Result<Vec<SqlxRow<SqliteRow>>, sqlx::Error> {
        let rows = query::<Sqlite>(bound).fetch_all(connection);
        Ok(SqlxRow::from_rows(rows.await?))
    }

    async fn execute(
        connection: &mut SqliteConnection,
        bound: &BoundStatement<'_>,
    ) -> Result<Done, sqlx::Error> {
        let done = query::<Sqlite>(bound).execute(connection).await?;
        Ok(Done {
            rows: done.rows_affected(),
            insert_id: 0,
        })
    }

    async fn query(
        connection: &mut SqliteConnection,
        text: String,
    ) -> Result<Vec<SqlxRow<SqliteRow>>, sqlx::Error> {
        let rows = connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(text)));
        Ok(SqlxRow::from_rows(rows.await?))
    }
}

impl Row for SqlxRow<SqliteRow> {
    type Error = sqlx::Error;

    fn text(&self, column: usize) -> Result<Option<&str>, sqlx::Error> {
        self.0.try_get_unchecked(column)
    }

    fn integer(&self, column: usize) -> Result<Option<i64>, sqlx::Error> {
        self.0.try_get(column)
    }

    fn float(&self, column: usize) -> Result<Option<f64>, sqlx::Error> {
        self.0.try_get(column)
    }

    fn boolean(&self, column: usize) -> Result<Option<bool>, sqlx::Error> {
        self.0.try_get(column)
    }
}

/// The identity of the file at this path now. SQLite keeps using the file that it has open, even after that was deleted or replaced.
#[cfg(target_os = "linux")]
fn identity(file: &Path) -> Option<Home> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};

    // Cached attributes are enough, so the call does not block; moving it to another thread would cost ten times as much.
    let found = statx(CWD, file, AtFlags::STATX_DONT_SYNC, StatxFlags::INO).ok()?;
    let device = makedev(found.stx_dev_major, found.stx_dev_minor);
    Some(Home(device, found.stx_ino))
}

#[cfg(all(unix, not(target_os = "linux")))]
fn identity(file: &Path) -> Option<Home> {
    let found = rustix::fs::stat(file).ok()?;
    Some(Home(found.st_dev as u64, found.st_ino))
}

/// On other systems, an open file cannot be deleted or replaced.
#[cfg(not(unix))]
fn identity(_file: &Path) -> Option<Home> {
    None
}

/// Whether the URL names a database that no other connection or process can see.
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
