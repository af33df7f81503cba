//! What sqlx does for each database in its own way.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use shedlock_runtime::LockError;
use shedlock_sql::{BoundStatement, Dialect, Done, Fault, Param, Row};
use sqlx::Pool;
use sqlx::database::HasStatementCache;
use sqlx::error::DatabaseError;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, Database, Encode, Type};

/// A database with a provider here: `sqlx::Postgres`, `sqlx::MySql` and `sqlx::Sqlite`, each with its feature.
///
/// The trait is sealed: a provider for another database implements [`LockProvider`](shedlock_runtime::LockProvider).
///
/// # Examples
///
/// ```
/// use shedlock_runtime::LockError;
/// use shedlock_sqlx::{SqlDatabase, SqlxLockProvider};
///
/// /// For a program that chooses its database by a feature.
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

/// The seam behind [`SqlDatabase`].
#[expect(unnameable_types, reason = "nobody outside is to implement or call it")]
pub trait Backend: Database + HasStatementCache {
    /// A duration as its statements take it.
    type Lease;
    /// A row of an answer.
    type AnswerRow: Row<Error = sqlx::Error> + Send + Sync;

    /// Whose SQL it takes.
    const DIALECT: Dialect;
    /// How many connections a provider keeps that was given a URL.
    const OWN_CONNECTIONS: usize;
    /// Whether there is a network between, which may lose a connection without a word.
    const IS_REMOTE: bool;

    /// The options of our own connections, for each server that the URL names.
    fn options(url: &str) -> Result<Vec<Options<Self>>, LockError>;

    /// Opens a connection of our own. `behind_pooler` is set where a pooler was found between.
    fn open(
        options: &Options<Self>,
        behind_pooler: &AtomicBool,
    ) -> impl Future<Output = Result<Self::Connection, sqlx::Error>> + Send;

    /// Whether the server says that it takes writes: asked of a new connection where there are other servers.
    fn takes_writes(
        _connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send {
        std::future::ready(Ok(true))
    }

    /// What the options lead to at this moment, where that can change under an open connection.
    fn home(_options: &Options<Self>) -> Option<Home> {
        None
    }

    /// A pool's options as they are right for connections of our own.
    fn own_options(options: &Options<Self>) -> Options<Self> {
        options.clone()
    }

    /// Why no lock can be kept on the connections of this pool, if so.
    fn refuse_pool(
        _connection: &mut Self::Connection,
        _pool: &Pool<Self>,
    ) -> impl Future<Output = Result<Option<LockError>, sqlx::Error>> + Send {
        std::future::ready(Ok(None))
    }

    /// Whether a connection that others use, too, is inside a transaction.
    fn is_inside_transaction(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// So many microseconds.
    fn lease(micros: i64) -> Self::Lease;

    /// What an error of the database means.
    fn fault(error: &dyn DatabaseError) -> Fault {
        Fault::from_code(
            Self::DIALECT,
            &error.code().unwrap_or_default(),
            error.message(),
        )
    }

    /// Runs a statement to its end, and gives its rows.
    fn fetch(
        connection: &mut Self::Connection,
        statement: &BoundStatement<'_>,
    ) -> impl Future<Output = Result<Vec<Self::AnswerRow>, sqlx::Error>> + Send;

    /// Runs a statement that gives no rows.
    fn execute(
        connection: &mut Self::Connection,
        statement: &BoundStatement<'_>,
    ) -> impl Future<Output = Result<Done, sqlx::Error>> + Send;

    /// Runs a text without values, in one message and not prepared.
    fn query(
        connection: &mut Self::Connection,
        text: String,
    ) -> impl Future<Output = Result<Vec<Self::AnswerRow>, sqlx::Error>> + Send;
}

/// The identity of a file: its device and its number there.
#[expect(unnameable_types, reason = "nobody outside is to implement or call it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Home(pub(crate) u64, pub(crate) u64);

/// A row of sqlx.
#[expect(unnameable_types, reason = "nobody outside is to implement or call it")]
#[derive(Debug)]
pub struct SqlxRow<R>(pub(crate) R);

impl<R> SqlxRow<R> {
    /// Rows as they come from sqlx. The vector stays where it is.
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
    &'q str: Encode<'q, DB> + Type<DB>,
    i64: Encode<'q, DB> + Type<DB>,
    DB::Lease: for<'e> Encode<'e, DB> + Type<DB>,
{
    let BoundStatement {
        statement, values, ..
    } = bound;
    // Names are checked and quoted, values are bound: see `shedlock_sql::Names`.
    let text = AssertSqlSafe(Arc::clone(statement.text()));
    let query = sqlx::query::<DB>(text).persistent(bound.is_prepared);
    statement
        .params()
        .iter()
        .fold(query, |query, param| match param {
            Param::Name => query.bind(values.name),
            Param::First => query.bind(values.first),
            Param::Owner => query.bind(values.owner),
            Param::Lease => query.bind(DB::lease(values.lease)),
            Param::Until => query.bind(values.until),
            Param::Now => query.bind(values.now),
        })
}

/// Whether the protocol says that the connection is inside a transaction, once `nothing` has run: sqlx keeps what the server said
/// for itself, but looks at it when a transaction is to begin.
pub(crate) async fn is_inside_transaction<C: Connection>(
    connection: &mut C,
    nothing: &'static str,
) -> Result<bool, sqlx::Error> {
    match connection
        .begin_with(AssertSqlSafe(nothing.to_owned()))
        .await
    {
        Err(sqlx::Error::BeginFailed) => Ok(false),
        // One that sqlx knows of.
        Ok(_) | Err(sqlx::Error::InvalidSavePointStatement) => Ok(true),
        Err(error) => Err(error),
    }
}
