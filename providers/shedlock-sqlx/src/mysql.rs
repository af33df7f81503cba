//! MySQL and MariaDB.

use std::str::FromStr as _;
use std::time::Duration;

use shedlock_runtime::{LockError, LockInfo};
use shedlock_sql::{Description, Dialect, Fault, Names, Statement, Statements};
use sqlx::error::DatabaseError;
use sqlx::mysql::{MySql, MySqlConnectOptions, MySqlDatabaseError};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, MySqlConnection};

use crate::admin::locks;
use crate::provider::SqlxLockProvider;
use crate::store::{Backend, Paused, Run, Store, Verdict, bare_ipv6};
use crate::{describe, error};

/// Keeps locks in a table of a MySQL or MariaDB database.
///
/// MySQL 8 and later log in by `caching_sha2_password`: sqlx needs TLS or its feature `mysql-rsa` for that.
///
/// # Examples
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use shedlock_runtime::{LockConfiguration, LockProviderExt as _};
/// use shedlock_sqlx::MySqlLockProvider;
///
/// let provider = MySqlLockProvider::connect("mysql://app@localhost/app").await?;
/// provider.ensure_schema().await?;
/// if let Some(lock) = provider.try_lock(LockConfiguration::new("mail", "5m")?).await? {
///     lock.unlock().await?;
/// }
/// # Ok(())
/// # }
/// ```
pub type MySqlLockProvider = SqlxLockProvider<MySql>;

/// The codes of `sql/mysql/acquire.sql`.
const LOST_RACE: u64 = 0;
const OTHER_NAME: u64 = 1;
const NO_END: u64 = 2;
const HELD: u64 = 3;
const PAUSED: u64 = 500_000_000_000_000 + HELD;
const GRANTED: u64 = 1_000_000_000_000_000;

/// The codes of `sql/mysql/pause.sql`.
const END_HAS_PASSED: u64 = 0;

impl Store for MySql {}

impl Backend for MySql {
    type Lease = i64;

    const DIALECT: Dialect = Dialect::MySql;
    const KEPT: usize = 4;
    const BUSY_IS_BRIEF: bool = false;
    const REFUSES_BAD_TABLES: bool = false;

    fn lease(micros: i64) -> i64 {
        micros
    }

    fn options(url: &str) -> Result<MySqlConnectOptions, LockError> {
        let options = MySqlConnectOptions::from_str(url)
            .map_err(|error| error::url(Dialect::MySql, url, &error))?
            .disable_statement_logging();
        let options = match bare_ipv6(options.get_host()) {
            Some(address) => options.clone().host(address),
            None => options,
        };
        // sqlx sets the session's zone to UTC, JVM drivers leave it as the server has it, and a TIMESTAMP column means one
        // instant in the one and another in the other.
        let (_, query) = url.split_once('?').unwrap_or_default();
        let zone_is_given = query.contains("timezone=") || query.contains("time-zone=");
        Ok(if zone_is_given {
            options
        } else {
            options.timezone(None)
        })
    }

    fn fault(error: &dyn DatabaseError) -> Fault {
        // `code()` is the SQLSTATE, which is `HY000` for most of what matters here.
        let number = error
            .as_error()
            .downcast_ref::<MySqlDatabaseError>()
            .map(|error| error.number().to_string());
        Fault::of(Dialect::MySql, &number.unwrap_or_default(), error.message())
    }

    async fn set_up(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        // Without READ COMMITTED, a refused attempt locks the row it has read and waits for whoever has it locked.
        // Without strict mode, a time that a column cannot keep becomes zero, and the lock is free at once.
        for statement in [
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "SET SESSION autocommit = 1, innodb_lock_wait_timeout = 4, \
             sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')",
        ] {
            connection.execute(statement).await?;
        }
        Ok(())
    }

    async fn acquire(
        connection: &mut MySqlConnection,
        run: &Run<'_>,
        fencing: bool,
    ) -> Result<Verdict, sqlx::Error> {
        let statement = run.statements.acquire_on(fencing);
        let done = run.query::<MySql>(statement).execute(connection).await?;
        Ok(match done.last_insert_id() {
            LOST_RACE => Verdict::Contended,
            OTHER_NAME => Verdict::other_name(),
            NO_END => Verdict::without_end(),
            token if token >= GRANTED => Verdict::Granted {
                token: fencing.then_some(token),
            },
            paused if paused >= PAUSED => Verdict::Paused {
                remaining: Some(Duration::from_millis(paused - PAUSED)),
            },
            held => Verdict::Held {
                owner: String::new(),
                remaining: Duration::from_millis(held - HELD),
            },
        })
    }

    async fn change(
        connection: &mut MySqlConnection,
        statement: &Statement,
        run: &Run<'_>,
    ) -> Result<u64, sqlx::Error> {
        // sqlx counts the rows that were found, also if their values stayed the same.
        let done = run.query::<MySql>(statement).execute(connection).await?;
        Ok(done.rows_affected())
    }

    async fn pause(
        connection: &mut MySqlConnection,
        run: &Run<'_>,
        fencing: bool,
    ) -> Result<Paused, sqlx::Error> {
        let statement = run.statements.admin.pause_on(fencing);
        let done = run.query::<MySql>(statement).execute(connection).await?;
        Ok(match done.last_insert_id() {
            END_HAS_PASSED => Paused::Passed,
            OTHER_NAME => Paused::OtherName,
            _ => Paused::Done,
        })
    }

    async fn read(
        connection: &mut MySqlConnection,
        statement: &Statement,
        run: &Run<'_>,
    ) -> Result<Vec<LockInfo>, sqlx::Error> {
        let query = run.query::<MySql>(statement);
        locks(&query.fetch_all(connection).await?)
    }

    async fn describe(
        connection: &mut MySqlConnection,
        names: &Names,
        statements: &Statements,
    ) -> Result<Description, sqlx::Error> {
        describe::mysql(connection, names, statements).await
    }

    async fn execute(
        connection: &mut MySqlConnection,
        statement: String,
    ) -> Result<(), sqlx::Error> {
        connection.execute(AssertSqlSafe(statement)).await.map(drop)
    }
}
