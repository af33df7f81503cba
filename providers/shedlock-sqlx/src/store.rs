//! What each database does in its own way.

use std::fmt::Debug;
use std::future::Future;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use shedlock_runtime::{LockError, LockInfo};
use shedlock_sql::{
    Description, Dialect, Fault, Names, Param, Sending, Statement, Statements, TokenColumn, Values,
};
use sqlx::Pool;
use sqlx::database::HasStatementCache;
use sqlx::error::DatabaseError;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, Database, Encode, Type};

/// A database with a provider here: `sqlx::Postgres`, `sqlx::MySql` and `sqlx::Sqlite`, each with its feature.
///
/// Sealed: a provider for another database implements [`LockProvider`](shedlock_runtime::LockProvider).
pub trait Store: Backend {}

/// The options of a connection.
pub(crate) type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// The seam behind [`Store`].
#[expect(unnameable_types, reason = "nobody outside is to implement or call it")]
pub trait Backend: Database + HasStatementCache {
    /// A duration as its statements take it.
    type Lease;

    /// Whose SQL it takes.
    const DIALECT: Dialect;
    /// How many connections a provider keeps that was given a URL.
    const KEPT: usize;
    /// Whether there is a network between, which may lose a connection without a word.
    const IS_REMOTE: bool;
    /// Whether "busy" is over soon or never, so that asking again is right for as long as there is time. Elsewhere the server
    /// waits for others by itself, for a second each time.
    const BUSY_IS_BRIEF: bool;
    /// How long a statement waits for others before it says that they are busy.
    const WAITS: Duration;

    /// Whether the database itself refuses what would let two nodes hold one lock: a table without a key, a column that keeps
    /// another time than it was given. Otherwise the table is looked at before a provider first takes a lock.
    const REFUSES_BAD_TABLES: bool;

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
    fn of_our_own(options: &Options<Self>) -> Options<Self> {
        options.clone()
    }

    /// Why no lock can be kept on the connections of this pool, if so.
    fn refuse_pool(
        _connection: &mut Self::Connection,
        _pool: &Pool<Self>,
    ) -> impl Future<Output = Result<Option<LockError>, sqlx::Error>> + Send {
        std::future::ready(Ok(None))
    }

    /// What must be known of the table before a statement names it.
    fn find(
        connection: &mut Self::Connection,
        names: &Names,
    ) -> impl Future<Output = Result<Found, sqlx::Error>> + Send;

    /// Whether a connection that others use, too, is inside a transaction: asked before a statement where the statement cannot
    /// tell.
    fn is_inside_transaction(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// Whether the session commits nothing by itself.
    fn is_autocommit_off(
        _connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send {
        std::future::ready(Ok(false))
    }

    /// So many microseconds.
    fn lease(micros: i64) -> Self::Lease;

    /// What an error of the database means.
    fn fault(error: &dyn DatabaseError) -> Fault {
        Fault::of(
            Self::DIALECT,
            &error.code().unwrap_or_default(),
            error.message(),
        )
    }

    /// Takes the lock; `again` if this request may have been sent before.
    fn acquire(
        connection: &mut Self::Connection,
        run: &Run<'_>,
        fencing: TokenColumn,
        again: Sending,
    ) -> impl Future<Output = Result<Verdict, sqlx::Error>> + Send;

    /// Who holds the lock, as far as can be told without waiting for anybody: asked when the table was busy.
    fn holder(
        connection: &mut Self::Connection,
        run: &Run<'_>,
        fencing: TokenColumn,
    ) -> impl Future<Output = Result<Option<Verdict>, sqlx::Error>> + Send;

    /// Runs a statement that changes rows, and says how many.
    fn change(
        connection: &mut Self::Connection,
        statement: &Statement,
        run: &Run<'_>,
    ) -> impl Future<Output = Result<u64, sqlx::Error>> + Send;

    /// Pauses a lock. By default, a pause that has passed is the only one that writes no row.
    fn pause(
        connection: &mut Self::Connection,
        run: &Run<'_>,
        fencing: TokenColumn,
    ) -> impl Future<Output = Result<Paused, sqlx::Error>> + Send {
        async move {
            let statement = run.statements.admin.pause(fencing);
            Ok(match Self::change(connection, statement, run).await? {
                0 => Paused::Passed,
                _ => Paused::Done,
            })
        }
    }

    /// Runs a statement that reads rows, and says what is in them.
    fn read(
        connection: &mut Self::Connection,
        statement: &Statement,
        run: &Run<'_>,
    ) -> impl Future<Output = Result<Vec<LockInfo>, sqlx::Error>> + Send;

    /// The answers to the [`Inspection`](shedlock_sql::Inspection) of the table.
    fn describe(
        connection: &mut Self::Connection,
        names: &Names,
        statements: &Statements,
    ) -> impl Future<Output = Result<Description, sqlx::Error>> + Send;

    /// Runs a statement that asks for no values.
    fn execute(
        connection: &mut Self::Connection,
        statement: String,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

/// The identity of a file: its device and its number there.
#[expect(unnameable_types, reason = "nobody outside is to implement or call it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Home(pub(crate) u64, pub(crate) u64);

/// What was found of the table.
#[expect(unnameable_types, reason = "nobody outside is to implement or call it")]
#[derive(Debug)]
pub enum Found {
    /// In this schema, or nowhere, where each connection means the same by the name as it is.
    Table {
        schema: Option<String>,
        /// Whether statements tell by themselves that they are inside somebody else's transaction.
        statements_tell: bool,
    },
    /// A temporary table, which one connection alone sees.
    Temporary,
}

/// What the statements of one operation need.
#[expect(unnameable_types, reason = "nobody outside is to implement or call it")]
#[derive(Debug)]
pub struct Run<'a> {
    pub(crate) statements: &'a Statements,
    pub(crate) persistent: bool,
    pub(crate) values: Values<'a>,
}

/// What the database says to an attempt.
#[expect(unnameable_types, reason = "nobody outside is to implement or call it")]
#[derive(Debug)]
pub enum Verdict {
    /// The lock is ours.
    Granted { token: Option<u64> },
    /// Somebody else's lease is live.
    Held {
        /// Empty where the database does not say.
        owner: String,
        remaining: Duration,
    },
    /// An operator has paused the lock.
    Paused {
        /// Nothing for a pause without end, which only another hand can have written.
        remaining: Option<Duration>,
    },
    /// It is not ours, and the database does not say more.
    Refused,
    /// This very request was granted before, and its lease has ended.
    TooLate,
    /// Somebody else was faster, and has finished or is not to be seen.
    Contended,
    /// The row is not as it must be.
    Unusable { problem: String, remedy: String },
}

/// What the database says to a pause.
#[expect(unnameable_types, reason = "nobody outside is to implement or call it")]
#[derive(Debug)]
pub enum Paused {
    /// The lock is paused.
    Done,
    /// The pause would have ended by the clock that decides; nothing was written.
    Passed,
    /// The row is another lock's; see [`Verdict::other_name`].
    OtherName,
}

impl Verdict {
    /// A row whose name the database takes for the one that was asked for.
    pub(crate) fn other_name() -> Self {
        Self::Unusable {
            problem: "the table takes this name for another one that differs in case, accents or trailing blanks"
                .to_owned(),
            remedy: "give the name's column a binary collation; `check_schema()` says how".to_owned(),
        }
    }

    /// A row with NULL for the end of its lease, which is neither held nor free.
    pub(crate) fn without_end() -> Self {
        Self::Unusable {
            problem: "the end of the lease is NULL".to_owned(),
            remedy: "delete the row".to_owned(),
        }
    }
}

impl Run<'_> {
    /// `statement` with its values.
    pub(crate) fn query<'q, DB>(
        &'q self,
        statement: &Statement,
    ) -> Query<'q, DB, <DB as Database>::Arguments>
    where
        DB: Database + HasStatementCache,
        &'q str: Encode<'q, DB> + Type<DB>,
        i64: Encode<'q, DB> + Type<DB>,
        DB: Backend,
        DB::Lease: for<'e> Encode<'e, DB> + Type<DB>,
    {
        // Names are checked and quoted, values are bound: see `shedlock_sql::Names`.
        let text = AssertSqlSafe(std::sync::Arc::clone(statement.text()));
        let query = sqlx::query::<DB>(text).persistent(self.persistent);
        statement
            .params()
            .iter()
            .fold(query, |query, param| match param {
                Param::Name => query.bind(self.values.name),
                Param::First => query.bind(self.values.first),
                Param::Owner => query.bind(self.values.owner),
                Param::Lease => query.bind(DB::lease(self.values.lease)),
                Param::Until => query.bind(self.values.until),
                _ => query.bind(self.values.now),
            })
    }
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
