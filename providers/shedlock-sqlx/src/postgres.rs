//! PostgreSQL.

use std::str::FromStr as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shedlock_runtime::{LockError, LockInfo, OperatorMark};
use shedlock_sql::{Description, Dialect, Names, Sending, Statement, Statements, TokenColumn};
use sqlx::error::DatabaseError;
use sqlx::postgres::types::PgInterval;
use sqlx::postgres::{PgConnectOptions, PgRow, Postgres};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, RawSql,
    Row as _,
};

use crate::admin::locks;
use crate::provider::SqlxLockProvider;
use crate::store::{Backend, Found, Run, Store, Verdict, is_inside_transaction};
use crate::{describe, url};

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
    const IS_REMOTE: bool = true;
    const BUSY_IS_BRIEF: bool = false;
    const WAITS: Duration = Duration::from_millis(500);
    const REFUSES_BAD_TABLES: bool = false;

    fn lease(micros: i64) -> PgInterval {
        PgInterval {
            months: 0,
            days: 0,
            microseconds: micros,
        }
    }

    fn options(url: &str) -> Result<Vec<PgConnectOptions>, LockError> {
        let of = |server: String| {
            let options = PgConnectOptions::from_str(&server)
                .map_err(|error| url::invalid(Dialect::Postgres, url, &error))?
                .disable_statement_logging()
                // A parameter that `PgBouncer` does not know, and no statement here heeds.
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
            .map(of)
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
            // Otherwise a pooler has kept the settings to itself.
            let is_direct = row.try_get::<Option<&str>, _>(0)? == Some(ON);
            behind_pooler.store(!is_direct, Ordering::Relaxed);
        }
        Ok(connection)
    }

    async fn takes_writes(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let row = connection.fetch_one("SHOW transaction_read_only").await?;
        Ok(row.try_get::<&str, _>(0)? == "off")
    }

    async fn find(connection: &mut PgConnection, names: &Names) -> Result<Found, sqlx::Error> {
        let statements_tell = true;
        if names.schema().is_some() {
            return Ok(Found::Table {
                schema: None,
                statements_tell,
            });
        }
        let find = AssertSqlSafe(names.find_schema());
        let row = connection.fetch_optional(sqlx::raw_sql(find)).await?;
        let Some(row) = row else {
            return Ok(Found::Table {
                schema: None,
                statements_tell,
            });
        };
        Ok(match row.try_get(0)? {
            Some(schema) => Found::Table {
                schema: Some(schema),
                statements_tell,
            },
            None => Found::Temporary,
        })
    }

    async fn is_inside_transaction(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        is_inside_transaction(connection, "").await
    }

    async fn acquire(
        connection: &mut PgConnection,
        run: &Run<'_>,
        fencing: TokenColumn,
        again: Sending,
    ) -> Result<Verdict, sqlx::Error> {
        let statement = run.statements.acquire(fencing, again);
        let rows = fetch(connection, statement, run).await?;
        let Some(row) = rows.first() else {
            return Ok(Verdict::Refused);
        };
        // Columns of owners are of one type or another, and all of them are text.
        let owner: &str = row.try_get_unchecked(1)?;
        let left: Option<f64> = row.try_get(2)?;
        if OperatorMark::parse(owner).is_some_and(|mark| mark.is_pause()) {
            return Ok(Verdict::Paused {
                remaining: left.and_then(seconds),
            });
        }
        let reaches_its_end: Option<bool> = row.try_get(0)?;
        let (Some(reaches_its_end), Some(left)) = (reaches_its_end, left) else {
            return Ok(Verdict::without_end());
        };
        if reaches_its_end && left <= 0.0 {
            return Ok(Verdict::TooLate);
        }
        if reaches_its_end {
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

    async fn holder(
        connection: &mut PgConnection,
        run: &Run<'_>,
        fencing: TokenColumn,
    ) -> Result<Option<Verdict>, sqlx::Error> {
        let rows = fetch(connection, run.statements.holder(fencing), run).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let left = seconds(row.try_get(1)?);
        Ok(Some(Verdict::Held {
            owner: row
                .try_get_unchecked::<Option<String>, _>(0)?
                .unwrap_or_default(),
            remaining: left.unwrap_or(Duration::MAX),
        }))
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

/// What a session of our own is given at its start; behind a pooler it would be somebody else's, and there it is refused or lost.
/// A statement waits for others for half a second at a time.
const SESSION: [(&str, &str); 2] = [("lock_timeout", "500"), ("shedlock.session", ON)];
const ON: &str = "on";
/// Whether the session has got that.
const LOOK: &str = "SELECT current_setting('shedlock.session', TRUE)";

/// Whether the server may let us in without [`SESSION`].
fn is_refused_option(error: &sqlx::Error) -> bool {
    // Protocol violation, feature not supported, a parameter that is unknown or not for us.
    let codes = ["08P01", "0A000", "42704", "22023", "42501"];
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| codes.contains(&&*code))
}

/// A count of seconds; nothing for one that has no end.
fn seconds(left: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(left.max(0.0)).ok()
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
