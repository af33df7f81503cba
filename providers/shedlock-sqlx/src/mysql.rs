//! MySQL and MariaDB.

use std::str::FromStr as _;
use std::sync::atomic::AtomicBool;

use shedlock_runtime::LockError;
use shedlock_sql::{BoundStatement, Dialect, Done, Fault, Row, url};
use sqlx::error::DatabaseError;
use sqlx::mysql::{MySql, MySqlConnectOptions, MySqlDatabaseError, MySqlRow};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, MySqlConnection, Row as _,
};

use crate::database::{Backend, SqlDatabase, SqlxRow, is_inside_transaction, query};
use crate::provider::SqlxLockProvider;

/// A lock provider that stores its locks in a table of a MySQL or MariaDB database.
///
/// MySQL 8 and later authenticate with `caching_sha2_password` by default, for which sqlx needs TLS or its feature `mysql-rsa`.
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

impl SqlDatabase for MySql {}

impl Backend for MySql {
    type Lease = i64;
    type AnswerRow = SqlxRow<MySqlRow>;

    const DIALECT: Dialect = Dialect::MySql;
    const OWN_CONNECTIONS: usize = 4;
    const IS_REMOTE: bool = true;

    fn lease(micros: i64) -> i64 {
        micros
    }

    fn options(url: &str) -> Result<Vec<MySqlConnectOptions>, LockError> {
        // sqlx sets the session's zone to UTC, while JVM drivers keep the server's zone. In different zones, a value of a TIMESTAMP
        // column means different instants.
        let (_, query) = url.split_once('?').unwrap_or_default();
        let zone_is_given = query.contains("timezone=") || query.contains("time-zone=");
        let parse = |server: String| {
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
            .map(parse)
            .collect()
    }

    async fn open(
        options: &MySqlConnectOptions,
        _behind_pooler: &AtomicBool,
    ) -> Result<MySqlConnection, sqlx::Error> {
        let mut connection = MySqlConnection::connect_with(options).await?;
        // Without READ COMMITTED, a refused attempt locks the row that it reads, and waits for a session that has the row locked.
        // Without strict mode, a time that a column cannot store becomes zero, and the lock is free at once.
        // The timeouts limit a statement's wait for a lock to one second.
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
        // The value is a number, and from MariaDB 12 on a word such as OFF.
        let look = sqlx::raw_sql("SELECT CAST(@@global.read_only AS CHAR)");
        let row = connection.fetch_one(look).await?;
        let read_only: String = row.try_get_unchecked(0)?;
        Ok(["0", "OFF"].contains(&read_only.as_str()))
    }

    async fn is_inside_transaction(connection: &mut MySqlConnection) -> Result<bool, sqlx::Error> {
        is_inside_transaction(connection, "DO 0").await
    }

    fn fault(error: &dyn DatabaseError) -> Fault {
        // `code()` is the SQLSTATE, which is `HY000` for most of the relevant errors.
        let number = error
            .as_error()
            .downcast_ref::<MySqlDatabaseError>()
            .map(|error| error.number().to_string());
        Fault::from_code(Dialect::MySql, &number.unwrap_or_default(), error.message())
    }

    async fn fetch(
        connection: &mut MySqlConnection,
        bound: &BoundStatement<'_>,
    ) -> Result<Vec<SqlxRow<MySqlRow>>, sqlx::Error> {
        let rows = query::<MySql>(bound).fetch_all(connection);
        Ok(SqlxRow::from_rows(rows.await?))
    }

    async fn execute(
        connection: &mut MySqlConnection,
        bound: &BoundStatement<'_>,
    ) -> Result<Done, sqlx::Error> {
        let done = query::<MySql>(bound).execute(connection).await?;
        Ok(Done {
            // sqlx counts the rows that were found, even if their values did not change.
            rows: done.rows_affected(),
            insert_id: done.last_insert_id(),
        })
    }

    async fn query(
        connection: &mut MySqlConnection,
        text: String,
    ) -> Result<Vec<SqlxRow<MySqlRow>>, sqlx::Error> {
        let rows = connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(text)));
        Ok(SqlxRow::from_rows(rows.await?))
    }
}

// Unchecked, because MySQL and MariaDB give the same expression different types.
impl Row for SqlxRow<MySqlRow> {
    type Error = sqlx::Error;

    fn text(&self, column: usize) -> Result<Option<&str>, sqlx::Error> {
        self.0.try_get_unchecked(column)
    }

    fn integer(&self, column: usize) -> Result<Option<i64>, sqlx::Error> {
        self.0.try_get_unchecked(column)
    }

    fn float(&self, column: usize) -> Result<Option<f64>, sqlx::Error> {
        self.0.try_get_unchecked(column)
    }

    fn boolean(&self, column: usize) -> Result<Option<bool>, sqlx::Error> {
        self.0.try_get_unchecked(column)
    }
}
