//! PostgreSQL.

use std::str::FromStr as _;
use std::time::Duration;

use shedlock_runtime::{LockError, LockInfo, Mark};
use shedlock_sql::{Description, Dialect, Names, Statement, Statements};
use sqlx::postgres::types::PgInterval;
use sqlx::postgres::{PgConnectOptions, PgRow, Postgres};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, PgConnection, RawSql, Row as _};

use crate::admin::locks;
use crate::provider::SqlxLockProvider;
use crate::store::{Backend, Run, Store, Verdict, bare_ipv6};
use crate::{describe, error};

/// Keeps locks in a table of a PostgreSQL database.
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

impl Store for Postgres {}

impl Backend for Postgres {
    type Lease = PgInterval;

    const DIALECT: Dialect = Dialect::Postgres;
    const KEPT: usize = 4;
    const BUSY_IS_BRIEF: bool = false;
    const REFUSES_BAD_TABLES: bool = true;

    fn lease(micros: i64) -> PgInterval {
        PgInterval {
            months: 0,
            days: 0,
            microseconds: micros,
        }
    }

    fn options(url: &str) -> Result<PgConnectOptions, LockError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| error::url(Dialect::Postgres, url, &error))?
            .disable_statement_logging();
        let options = match bare_ipv6(options.get_host()) {
            Some(address) => options.clone().host(address),
            None => options,
        };
        Ok(match options.get_application_name() {
            Some(_chosen) => options,
            None => options.application_name("shedlock"),
        })
    }

    // No session settings: behind a pooler they would be somebody else's.
    async fn set_up(_connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }

    async fn acquire(
        connection: &mut PgConnection,
        run: &Run<'_>,
        fencing: bool,
    ) -> Result<Verdict, sqlx::Error> {
        let statement = run.statements.acquire_on(fencing);
        let rows = fetch(connection, statement, run).await?;
        let Some(row) = rows.first() else {
            return Ok(Verdict::Refused);
        };
        // Columns of owners are of one type or another, and all of them are text.
        let owner: &str = row.try_get_unchecked(1)?;
        if Mark::of(owner).is_some_and(|mark| mark.is_pause()) {
            let left: f64 = row.try_get(2)?;
            return Ok(Verdict::Paused {
                remaining: Duration::try_from_secs_f64(left.max(0.0)).ok(),
            });
        }
        if row.try_get(0)? {
            // The lock is ours whatever the column holds.
            let token = row.try_get::<Option<i64>, _>(3).unwrap_or(None);
            let token = token.and_then(|token| token.try_into().ok());
            return Ok(Verdict::Granted { token });
        }
        Ok(Verdict::Unusable {
            problem: "the column that keeps the end of the lease cuts it".to_owned(),
            remedy: "make it of type TIMESTAMP".to_owned(),
        })
    }

    async fn change(
        connection: &mut PgConnection,
        statement: &Statement,
        run: &Run<'_>,
    ) -> Result<u64, sqlx::Error> {
        let done = if run.persistent {
            run.query::<Postgres>(statement).execute(connection).await?
        } else {
            connection.execute(simple(statement, run)).await?
        };
        Ok(done.rows_affected())
    }

    async fn read(
        connection: &mut PgConnection,
        statement: &Statement,
        run: &Run<'_>,
    ) -> Result<Vec<LockInfo>, sqlx::Error> {
        locks(&fetch(connection, statement, run).await?)
    }

    async fn describe(
        connection: &mut PgConnection,
        names: &Names,
        statements: &Statements,
    ) -> Result<Description, sqlx::Error> {
        describe::postgres(connection, names, statements).await
    }

    async fn execute(connection: &mut PgConnection, statement: String) -> Result<(), sqlx::Error> {
        connection.execute(AssertSqlSafe(statement)).await.map(drop)
    }
}

/// Runs a statement to its end: the server commits after the last row, and the commit may fail.
async fn fetch(
    connection: &mut PgConnection,
    statement: &Statement,
    run: &Run<'_>,
) -> Result<Vec<PgRow>, sqlx::Error> {
    if run.persistent {
        let query = run.query::<Postgres>(statement);
        query.fetch_all(connection).await
    } else {
        connection.fetch_all(simple(statement, run)).await
    }
}

/// The statement with its values in one message: a pooler may give the next message to another connection.
fn simple(statement: &Statement, run: &Run<'_>) -> RawSql {
    // The values are quoted by `with_postgres_literals`.
    sqlx::raw_sql(AssertSqlSafe(statement.with_postgres_literals(&run.values)))
}
