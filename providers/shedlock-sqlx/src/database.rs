//! The differences between sqlx's databases.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use shedlock_runtime::LockError;
use shedlock_sql::{BoundStatement, Dialect, Done, Fault, Row, Value};
use sqlx::Pool;
use sqlx::database::HasStatementCache;
use sqlx::error::DatabaseError;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, Database, Encode, Type};

/// A database that this crate supports: `sqlx::Postgres`, `sqlx::MySql` or `sqlx::Sqlite`, each behind a feature.
///
/// The trait is sealed. To support another database, implement [`LockProvider`](shedlock_runtime::LockProvider).
///
/// # Examples
///
/// ```
/// use shedlock_runtime::LockError;
/// use shedlock_sqlx::{SqlDatabase, SqlxLockProvider};
///
/// /// Prepares the table, in a program that chooses its database by a cargo feature.
/// async fn prepare<DB: SqlDatabase>(provider: &SqlxLockProvider<DB>) -> Result<(), LockError> {
///     provider.ensure_schema().await?;
///     for warning in provider.check_schema().await?.warnings() {
///         println!("{warning}");
///     }
///     Ok(())
/// }
/// ```
pub trait SqlDatabase: Backend {}

/// The options of a connection.
pub(crate) type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// The sealed part of [`SqlDatabase`]: what differs between the databases.
#[expect(unnameable_types, reason = "nobody outside is to implement or call it")]
pub trait Backend: Database + HasStatementCache {
    /// The type in which the database's statements bind a duration.
    type Lease;
    /// A row of a result.
    type AnswerRow: Row<Error = sqlx::Error> + Send + Sync;

    /// The SQL dialect of the database.
    const DIALECT: Dialect;
    /// The maximum number of connections of a provider that was built from a URL.
    const OWN_CONNECTIONS: usize;
    /// Whether the database is reached over a network, where a connection can die without an error.
    const IS_REMOTE: bool;

    /// The options of the provider's own connections, for each server that the URL names.
    fn options(url: &str) -> Result<Vec<Options<Self>>, LockError>;

    /// Opens one of the provider's own connections. Sets `behind_pooler` if a pooler is detected.
    fn open(
        options: &Options<Self>,
        behind_pooler: &AtomicBool,
    ) -> impl Future<Output = Result<Self::Connection, sqlx::Error>> + Send;

    /// Whether the server accepts writes. Called on a new connection if the URL names several servers.
    fn takes_writes(
        _connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send {
        std::future::ready(Ok(true))
    }

    /// The identity of the file that the options refer to now, if that can change while a connection is open.
    fn home(_options: &Options<Self>) -> Option<Home> {
        None
    }

    /// A pool's options, adjusted for the provider's own connections.
    fn own_options(options: &Options<Self>) -> Options<Self> {
        options.clone()
    }

    /// Returns an error if this pool cannot be used for locks.
    fn refuse_pool(
        _connection: &mut Self::Connection,
        _pool: &Pool<Self>,
    ) -> impl Future<Output = Result<Option<LockError>, sqlx::Error>> + Send {
        std::future::ready(Ok(None))
    }

    /// Whether a shared connection is inside a transaction.
    fn is_inside_transaction(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// A duration of this many microseconds.
    fn lease(micros: i64) -> Self::Lease;

    /// The meaning of an error that the database reported.
    fn fault(error: &dyn DatabaseError) -> Fault {
        Fault::from_code(
            Self::DIALECT,
            &error.code().unwrap_or_default(),
            error.message(),
        )
    }

    /// Runs a statement to its end and returns its rows.
    fn fetch(
        connection: &mut Self::Connection,
        statement: &BoundStatement<'_>,
    ) -> impl Future<Output = Result<Vec<Self::AnswerRow>, sqlx::Error>> + Send;

    /// Runs a statement that returns no rows.
    fn execute(
        connection: &mut Self::Connection,
        statement: &BoundStatement<'_>,
    ) -> impl Future<Output = Result<Done, sqlx::Error>> + Send;

    /// Runs an SQL text without values, unprepared and in one message.
    fn query(
        connection: &mut Self::Connection,
        text: String,
    ) -> impl Future<Output = Result<Vec<Self::AnswerRow>, sqlx::Error>> + Send;
}

/// The identity of a file: its device and inode number.
#[expect(unnameable_types, reason = "nobody outside is to implement or call it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Home(pub(crate) u64, pub(crate) u64);

/// A row of sqlx.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
#[expect(unnameable_types, reason = "nobody outside is to implement or call it")]
#[derive(Debug)]
pub struct SqlxRow<R>(pub(crate) R);

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
impl<R> SqlxRow<R> {
    /// Wraps sqlx's rows. The vector is not copied.
    pub(crate) fn from_rows(rows: Vec<R>) -> Vec<Self> {
        rows.into_iter().map(Self).collect()
    }
}

/// A statement with its values.
pub(crate) fn query<'q, DB>(
    bound: &BoundStatement<'q>,
) -> Query<'q, DB, <DB as Database>::Arguments>
where
    DB: Backend,
    Option<&'q str>: Encode<'q, DB> + Type<DB>,
    Option<i64>: Encode<'q, DB> + Type<DB>,
    DB::Lease: for<'e> Encode<'e, DB> + Type<DB>,
{
    let BoundStatement {
        statement, values, ..
    } = bound;
    // Safe against injection: names are validated and quoted, values are bound; see `shedlock_sql::Names`.
    let text = AssertSqlSafe(Arc::clone(statement.text()));
    let query = sqlx::query::<DB>(text).persistent(bound.is_prepared);
    statement
        .params()
        .iter()
        .fold(query, |query, param| match values.get(*param) {
            Value::Text(text) => query.bind(text),
            Value::Integer(integer) => query.bind(integer),
            Value::Duration(micros) => query.bind(DB::lease(micros)),
        })
}

/// Whether the connection is inside a transaction by the server's protocol. sqlx does not expose that state, but checks it after
/// `begin_with` has run a statement. The statement `nothing` has no effect.
pub(crate) async fn is_inside_transaction<C: Connection>(
    connection: &mut C,
    nothing: &'static str,
) -> Result<bool, sqlx::Error> {
    match connection
        .begin_with(AssertSqlSafe(nothing.to_owned()))
        .await
    {
        Err(sqlx::Error::BeginFailed) => Ok(false),
        // A transaction that sqlx itself has begun.
        Ok(_) | Err(sqlx::Error::InvalidSavePointStatement) => Ok(true),
        Err(error) => Err(error),
    }
}
