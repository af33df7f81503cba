//! MySQL and MariaDB.

use std::str::FromStr as _;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use shedlock_runtime::{LockError, LockInfo};
use shedlock_sql::{
    Description, Dialect, Fault, MySqlAcquired, MySqlPaused, Names, Sending, Statement, Statements,
    TokenColumn,
};
use sqlx::error::DatabaseError;
use sqlx::mysql::{MySql, MySqlConnectOptions, MySqlDatabaseError};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, MySqlConnection, Row as _,
};

use crate::admin::locks;
use crate::provider::SqlxLockProvider;
use crate::store::{Backend, Found, Paused, Run, Store, Verdict, is_inside_transaction};
use crate::{describe, url};

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

impl Store for MySql {}

impl Backend for MySql {
    type Lease = i64;

    const DIALECT: Dialect = Dialect::MySql;
    const KEPT: usize = 4;
    const IS_REMOTE: bool = true;
    const BUSY_IS_BRIEF: bool = false;
    // MySQL counts whole seconds.
    const WAITS: Duration = Duration::from_secs(1);
    const REFUSES_BAD_TABLES: bool = false;

    fn lease(micros: i64) -> i64 {
        micros
    }

    fn options(url: &str) -> Result<Vec<MySqlConnectOptions>, LockError> {
        // sqlx sets the session's zone to UTC, JVM drivers leave it as the server has it, and a TIMESTAMP column means one
        // instant in the one and another in the other.
        let (_, query) = url.split_once('?').unwrap_or_default();
        let zone_is_given = query.contains("timezone=") || query.contains("time-zone=");
        let of = |server: String| {
            let options = MySqlConnectOptions::from_str(&server)
                .map_err(|error| url::invalid(Dialect::MySql, url, &error))?
                .disable_statement_logging();
            let options = match url::bare_ipv6(options.get_host()) {
                Some(address) => options.clone().host(address),
                None => options,
            };
            Ok(if zone_is_given {
                options
            } else {
                options.timezone(None)
            })
        };
        url::servers(Dialect::MySql, url)?
            .into_iter()
            .map(of)
            .collect()
    }

    async fn open(
        options: &MySqlConnectOptions,
        _behind_pooler: &AtomicBool,
    ) -> Result<MySqlConnection, sqlx::Error> {
        let mut connection = MySqlConnection::connect_with(options).await?;
        // Without READ COMMITTED, a refused attempt locks the row it has read and waits for whoever has it locked.
        // Without strict mode, a time that a column cannot keep becomes zero, and the lock is free at once.
        // An attempt waits for others for a second at a time.
        for statement in [
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "SET SESSION autocommit = 1, innodb_lock_wait_timeout = 1, lock_wait_timeout = 1, \
             sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')",
        ] {
            connection.execute(statement).await?;
        }
        Ok(connection)
    }

    async fn takes_writes(connection: &mut MySqlConnection) -> Result<bool, sqlx::Error> {
        // A number, and a word from MariaDB 12 on.
        let look = sqlx::raw_sql("SELECT CAST(@@global.read_only AS CHAR)");
        let row = connection.fetch_one(look).await?;
        let read_only: String = row.try_get_unchecked(0)?;
        Ok(["0", "OFF"].contains(&read_only.as_str()))
    }

    async fn find(connection: &mut MySqlConnection, names: &Names) -> Result<Found, sqlx::Error> {
        let row = connection.fetch_one(sqlx::raw_sql("SELECT DATABASE(), VERSION()"));
        let row = row.await?;
        let version: String = row.try_get_unchecked(1)?;
        let database: Option<String> = row.try_get_unchecked(0)?;
        Ok(Found::Table {
            schema: database.filter(|_| names.schema().is_none()),
            // MySQL has no variable that tells.
            statements_tell: version.contains("MariaDB"),
        })
    }

    async fn is_inside_transaction(connection: &mut MySqlConnection) -> Result<bool, sqlx::Error> {
        is_inside_transaction(connection, "DO 0").await
    }

    async fn is_autocommit_off(connection: &mut MySqlConnection) -> Result<bool, sqlx::Error> {
        let row = connection.fetch_one(sqlx::raw_sql("SELECT @@autocommit"));
        row.await?.try_get_unchecked::<i64, _>(0).map(|on| on == 0)
    }

    fn fault(error: &dyn DatabaseError) -> Fault {
        // `code()` is the SQLSTATE, which is `HY000` for most of what matters here.
        let number = error
            .as_error()
            .downcast_ref::<MySqlDatabaseError>()
            .map(|error| error.number().to_string());
        Fault::of(Dialect::MySql, &number.unwrap_or_default(), error.message())
    }

    async fn acquire(
        connection: &mut MySqlConnection,
        run: &Run<'_>,
        fencing: TokenColumn,
        again: Sending,
    ) -> Result<Verdict, sqlx::Error> {
        let statement = run.statements.acquire(fencing, again);
        let done = run
            .query::<MySql>(statement)
            .execute(&mut *connection)
            .await?;
        let answer = MySqlAcquired::from_insert_id(done.last_insert_id());
        Ok(match answer {
            MySqlAcquired::Granted { token } => Verdict::Granted {
                token: (fencing == TokenColumn::Present).then_some(token),
            },
            // A row was written, or looked at under its lock, and a trigger may have taken the answer away.
            _ if done.rows_affected() > 0 => {
                let holder = holder(connection, run, fencing).await?;
                holder.unwrap_or(Verdict::Contended)
            }
            MySqlAcquired::LostRace => Verdict::Contended,
            MySqlAcquired::Paused { remaining } => Verdict::Paused {
                remaining: Some(remaining),
            },
            MySqlAcquired::TooLate => Verdict::TooLate,
            MySqlAcquired::Held { remaining } => Verdict::Held {
                owner: String::new(),
                remaining,
            },
            MySqlAcquired::NoEnd => Verdict::without_end(),
            MySqlAcquired::OtherName => Verdict::other_name(),
        })
    }

    async fn holder(
        connection: &mut MySqlConnection,
        run: &Run<'_>,
        fencing: TokenColumn,
    ) -> Result<Option<Verdict>, sqlx::Error> {
        let verdict = holder(connection, run, fencing).await?;
        Ok(verdict.filter(|verdict| matches!(verdict, Verdict::Held { .. })))
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
        fencing: TokenColumn,
    ) -> Result<Paused, sqlx::Error> {
        let statement = run.statements.admin.pause(fencing);
        let done = run
            .query::<MySql>(statement)
            .execute(&mut *connection)
            .await?;
        Ok(match MySqlPaused::from_insert_id(done.last_insert_id()) {
            Some(MySqlPaused::Written) => Paused::Done,
            Some(MySqlPaused::OtherName) => Paused::OtherName,
            Some(MySqlPaused::EndHasPassed) if done.rows_affected() == 0 => Paused::Passed,
            // A trigger has taken the answer away.
            _ => match holder(connection, run, fencing).await? {
                Some(Verdict::Unusable { .. }) => Paused::OtherName,
                _ => Paused::Done,
            },
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

/// What the row says, where the statement that wrote it could not: a live lease or none, ours or another's.
async fn holder(
    connection: &mut MySqlConnection,
    run: &Run<'_>,
    fencing: TokenColumn,
) -> Result<Option<Verdict>, sqlx::Error> {
    let query = run.query::<MySql>(run.statements.holder(fencing));
    let rows = query.fetch_all(connection).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let is_same: Option<i64> = row.try_get_unchecked(2)?;
    let left: Option<i64> = row.try_get_unchecked(1)?;
    let is_ours: Option<i64> = row.try_get_unchecked(3)?;
    let owner: Option<String> = row.try_get_unchecked(0)?;
    let remaining = Duration::from_micros(left.unwrap_or_default().max(0).unsigned_abs());
    Ok(Some(match (is_same, left) {
        (Some(0) | None, _) => Verdict::other_name(),
        (_, None) => Verdict::without_end(),
        (_, Some(1..)) if is_ours == Some(1) => {
            let token: Option<i64> = row.try_get_unchecked(4)?;
            Verdict::Granted {
                token: token.and_then(|token| token.try_into().ok()),
            }
        }
        (_, Some(1..)) => Verdict::Held {
            owner: owner.unwrap_or_default(),
            remaining,
        },
        _ if is_ours == Some(1) => Verdict::TooLate,
        _ => Verdict::Contended,
    }))
}
