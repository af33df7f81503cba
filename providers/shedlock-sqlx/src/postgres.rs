//! PostgreSQL.

use std::str::FromStr as _;
use std::sync::atomic::{AtomicBool, Ordering};

use shedlock_runtime::LockError;
use shedlock_sql::{BoundStatement, Dialect, Done, Fault, Row, url};
use sqlx::error::DatabaseError;
use sqlx::postgres::types::PgInterval;
use sqlx::postgres::{PgConnectOptions, PgRow, Postgres};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, RawSql,
    Row as _,
};

use crate::database::{Backend, SqlDatabase, SqlxRow, is_inside_transaction, query};
use crate::provider::SqlxLockProvider;

/// A lock provider that stores its locks in a table of a PostgreSQL database.
///
/// # Examples
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use shedlock_runtime::{LockConfiguration, LockProviderExt as _};
/// use shedlock_sqlx::PostgresLockProvider;
///
/// let provider = PostgresLockProvider::connect("postgres://app@localhost/app").await?;
/// provider.ensure_schema().await?;
/// if let Some(lock) = provider.try_lock(LockConfiguration::new("mail", "5m")?).await? {
///     lock.unlock().await?;
/// }
/// # Ok(())
/// # }
/// ```
pub type PostgresLockProvider = SqlxLockProvider<Postgres>;

impl SqlDatabase for Postgres {}

impl Backend for Postgres {
    type Lease = PgInterval;
    type AnswerRow = SqlxRow<PgRow>;

    const DIALECT: Dialect = Dialect::Postgres;
    const OWN_CONNECTIONS: usize = 4;
    const IS_REMOTE: bool = true;

    fn lease(micros: i64) -> PgInterval {
        PgInterval {
            months: 0,
            days: 0,
            microseconds: micros,
        }
    }

    fn options(url: &str) -> Result<Vec<PgConnectOptions>, LockError> {
        let parse = |server: String| {
            let options = PgConnectOptions::from_str(&server)
                .map_err(|error| url::invalid(Dialect::Postgres, url, &error))?
                .disable_statement_logging()
                // `PgBouncer` rejects this parameter, and no statement depends on it.
                .extra_float_digits(None);
            let options = match url::bare_ipv6(options.get_host()) {
                Some(address) => options.clone().host(address),
                None => options,
            };
            Ok(match options.get_application_name() {
                Some(_chosen) => options,
                None => options.application_name("shedlock"),
            })
        };
        url::servers(Dialect::Postgres, url)?
            .into_iter()
            .map(parse)
            .collect()
    }

    async fn open(
        options: &PgConnectOptions,
        behind_pooler: &AtomicBool,
    ) -> Result<PgConnection, sqlx::Error> {
        let mut connection = if behind_pooler.load(Ordering::Relaxed) {
            PgConnection::connect_with(options).await?
        } else {
            match PgConnection::connect_with(&options.clone().options(SESSION)).await {
                Err(error) if is_refused_option(&error) => {
                    behind_pooler.store(true, Ordering::Relaxed);
                    PgConnection::connect_with(options).await?
                }
                opened => opened?,
            }
        };
        if !behind_pooler.load(Ordering::Relaxed) {
            let row = connection.fetch_one(LOOK).await?;
            // If the setting is missing, a pooler has not passed the settings on.
            let is_direct = row.try_get::<Option<&str>, _>(0)? == Some(ON);
            behind_pooler.store(!is_direct, Ordering::Relaxed);
        }
        Ok(connection)
    }

    async fn takes_writes(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let row = connection.fetch_one("SHOW transaction_read_only").await?;
        Ok(row.try_get::<&str, _>(0)? == "off")
    }

    async fn is_inside_transaction(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        is_inside_transaction(connection, "").await
    }

    async fn fetch(
        connection: &mut PgConnection,
        bound: &BoundStatement<'_>,
    ) -> Result<Vec<SqlxRow<PgRow>>, sqlx::Error> {
        let rows = if bound.is_prepared {
            query::<Postgres>(bound).fetch_all(connection).await?
        } else {
            connection.fetch_all(in_one_message(bound)).await?
        };
        Ok(SqlxRow::from_rows(rows))
    }

    async fn execute(
        connection: &mut PgConnection,
        bound: &BoundStatement<'_>,
    ) -> Result<Done, sqlx::Error> {
        let done = if bound.is_prepared {
            query::<Postgres>(bound).execute(connection).await?
        } else {
            connection.execute(in_one_message(bound)).await?
        };
        Ok(Done {
            rows: done.rows_affected(),
            insert_id: 0,
        })
    }

    async fn query(
        connection: &mut PgConnection,
        text: String,
    ) -> Result<Vec<SqlxRow<PgRow>>, sqlx::Error> {
        let rows = connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(text)));
        Ok(SqlxRow::from_rows(rows.await?))
    }
}

impl Row for SqlxRow<PgRow> {
    type Error = sqlx::Error;

    // Unchecked, because columns of owners may have any of the text types.
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

/// The settings of the provider's own sessions: a statement waits for a lock for at most 500 ms. A pooler, whose sessions are shared,
/// rejects or ignores them.
const SESSION: [(&str, &str); 2] = [("lock_timeout", "500"), ("shedlock.session", ON)];
const ON: &str = "on";
/// Checks whether the session received [`SESSION`].
const LOOK: &str = "SELECT current_setting('shedlock.session', TRUE)";

/// Whether the server may accept the connection without [`SESSION`].
fn is_refused_option(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| Fault::may_be_a_setting(&code))
}

/// The statement with its values in one message, because a pooler may send the next message on another connection.
fn in_one_message(bound: &BoundStatement<'_>) -> RawSql {
    // The values are quoted by `with_postgres_literals`.
    let text = bound.statement.with_postgres_literals(bound.values);
    sqlx::raw_sql(AssertSqlSafe(text))
}
