//! What a provider crate writes over its driver: connections, and how a statement is sent on one.

mod handed;

use std::future::Future;
use std::time::Duration;

use shedlock_runtime::LockError;

use crate::dialect::Dialect;
use crate::fault::Fault;
use crate::names::Names;

pub use handed::{BoundStatement, Done, NoConnection, Reach, Replaced};

/// A driver for one kind of database. [`SqlLocks`](crate::SqlLocks) asks through it.
///
/// A driver keeps no statement and judges no answer. It hands out connections, sends what it is given, and says which
/// [`Fault`] an error is.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use shedlock_runtime::{AcquireRequest, ErrorKind, LockConfiguration, LockError};
/// use shedlock_sql::{
///     BoundStatement, Connection, Dialect, Done, Driver, Fault, Names, NoConnection, Reach, Replaced, Row, SqlLocks,
///     SqlOptions, explain,
/// };
///
/// /// A driver whose server is away.
/// struct Away;
///
/// /// A connection, a row or an error of a database that was never reached.
/// #[derive(Debug)]
/// struct Never;
///
/// impl Driver for Away {
///     type Error = std::io::Error;
///     type Connection = Never;
///     const DIALECT: Dialect = Dialect::Postgres;
///
///     async fn checkout(
///         &self,
///         _limit: Duration,
///         _part: Duration,
///         _replaced: &mut Replaced,
///     ) -> Result<Never, NoConnection<std::io::Error>> {
///         Err(NoConnection::Failed(std::io::ErrorKind::ConnectionRefused.into()))
///     }
///     fn close(&self, _connection: Never, replaced: &mut Replaced, _reach: Reach) {
///         replaced.add_one();
///     }
///     fn fault(_error: &std::io::Error) -> Option<Fault> {
///         None
///     }
///     fn message(error: &std::io::Error) -> String {
///         error.to_string()
///     }
///     fn failed(_names: &Names, error: std::io::Error) -> LockError {
///         explain::broken().with_source(error)
///     }
///     fn unreachable(_names: &Names, error: std::io::Error) -> LockError {
///         explain::unreachable().with_source(error)
///     }
/// }
///
/// impl Connection for Never {
///     type Error = std::io::Error;
///     type Row = Never;
///     fn give_back(self) {}
///     fn is_shared(&self) -> bool {
///         false
///     }
///     fn is_new(&self) -> bool {
///         true
///     }
///     fn may_be_dead(&self) -> bool {
///         false
///     }
///     fn can_prepare(&self) -> bool {
///         true
///     }
///     async fn fetch(&mut self, _statement: &BoundStatement<'_>) -> Result<Vec<Never>, Self::Error> {
///         Ok(Vec::new())
///     }
///     async fn execute(&mut self, _statement: &BoundStatement<'_>) -> Result<Done, Self::Error> {
///         Ok(Done::default())
///     }
///     async fn query(&mut self, _text: String) -> Result<Vec<Never>, Self::Error> {
///         Ok(Vec::new())
///     }
///     async fn is_inside_transaction(&mut self) -> Result<bool, Self::Error> {
///         Ok(false)
///     }
/// }
///
/// impl Row for Never {
///     type Error = std::io::Error;
///     fn text(&self, _column: usize) -> Result<Option<&str>, Self::Error> {
///         Ok(None)
///     }
///     fn integer(&self, _column: usize) -> Result<Option<i64>, Self::Error> {
///         Ok(None)
///     }
///     fn float(&self, _column: usize) -> Result<Option<f64>, Self::Error> {
///         Ok(None)
///     }
///     fn boolean(&self, _column: usize) -> Result<Option<bool>, Self::Error> {
///         Ok(None)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), LockError> {
/// let locks = SqlLocks::new(Away, Names::shedlock(Dialect::Postgres), SqlOptions::default());
/// let request = AcquireRequest::new(LockConfiguration::new("mail", "5m")?, locks.info().clock().boot());
/// let error = locks.acquire(&request).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Unavailable);
/// # Ok(())
/// # }
/// ```
pub trait Driver: Send + Sync + Sized + 'static {
    /// What fails: a statement, or the way to the server.
    type Error: std::error::Error + Send + Sync + 'static;

    /// A connection in use. Dropped without [`Connection::give_back`], as when a call is cancelled, it is closed, or made fit for the
    /// next caller in another way: an answer may still be on its way.
    type Connection: Connection<Error = Self::Error>;

    /// Whose SQL the server takes.
    const DIALECT: Dialect;

    /// Hands out a connection within `limit`. A driver that pings a connection which may be dead waits for `part` of that time, and
    /// counts in `replaced` those that did not answer.
    fn checkout(
        &self,
        limit: Duration,
        part: Duration,
        replaced: &mut Replaced,
    ) -> impl Future<Output = Result<Self::Connection, NoConnection<Self::Error>>> + Send;

    /// Closes a connection that is of no use, and those that `reach` says are likely to be of none either.
    fn close(&self, connection: Self::Connection, replaced: &mut Replaced, reach: Reach);

    /// Whether the connection leads to a file that is not the one of that name any more.
    fn has_moved(&self, _connection: &Self::Connection) -> bool {
        false
    }

    /// Why no lock can be kept on connections of this origin, if so. Asked once, before the first statement.
    fn refuse_origin(
        &self,
        _connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Option<LockError>, Self::Error>> + Send {
        std::future::ready(Ok(None))
    }

    /// What the error means, if the database itself reported it.
    fn fault(error: &Self::Error) -> Option<Fault>;

    /// The database's own words in an error that it reported.
    fn message(error: &Self::Error) -> String;

    /// A statement that failed, in the words of a lock. Use [`explain`](crate::explain) for what all drivers have in common.
    fn failed(names: &Names, error: Self::Error) -> LockError;

    /// A connection that could not be opened, in the words of a lock.
    fn unreachable(names: &Names, error: Self::Error) -> LockError;
}

/// One connection of a [`Driver`].
///
/// See [`Driver`] for an example.
pub trait Connection: Send + Sized {
    /// What fails.
    type Error;
    /// A row of an answer.
    type Row: Row<Error = Self::Error> + Send + Sync;

    /// Gives the connection back after a statement that ended with an answer.
    fn give_back(self);

    /// Whether others use the connection too, and may have left it inside a transaction: a pool's, say.
    fn is_shared(&self) -> bool;

    /// Whether the connection was made for this call, so that another one would be no better.
    fn is_new(&self) -> bool;

    /// Whether the connection may have died without a word: it sat idle, and there is a network between.
    fn may_be_dead(&self) -> bool;

    /// Whether statements can be prepared by name: behind a pooler, the next message may go to another session.
    fn can_prepare(&self) -> bool;

    /// Runs a statement to its end, and gives its rows. The server commits after the last row, and the commit may fail.
    fn fetch(
        &mut self,
        statement: &BoundStatement<'_>,
    ) -> impl Future<Output = Result<Vec<Self::Row>, Self::Error>> + Send;

    /// Runs a statement that gives no rows.
    fn execute(
        &mut self,
        statement: &BoundStatement<'_>,
    ) -> impl Future<Output = Result<Done, Self::Error>> + Send;

    /// Runs a text without values, in one message and not prepared.
    fn query(
        &mut self,
        text: String,
    ) -> impl Future<Output = Result<Vec<Self::Row>, Self::Error>> + Send;

    /// Whether the connection is inside a transaction. Asked of a [shared](Self::is_shared) connection before a statement that cannot
    /// tell by itself.
    fn is_inside_transaction(&mut self) -> impl Future<Output = Result<bool, Self::Error>> + Send;
}

/// A row of an answer. A NULL is `None`; a value of another type is an error.
///
/// # Examples
///
/// ```
/// use shedlock_sql::Row;
///
/// /// The owner in the second column, if the row says so.
/// fn owner<R: Row>(row: &R) -> Result<String, R::Error> {
///     Ok(row.text(1)?.unwrap_or_default().to_owned())
/// }
/// ```
pub trait Row {
    /// What fails: there is no such column, or it has another type.
    type Error;

    /// A text of any of the server's types for texts.
    ///
    /// # Errors
    ///
    /// There is no such column, or it cannot be read.
    fn text(&self, column: usize) -> Result<Option<&str>, Self::Error>;

    /// An integer of up to 64 bits.
    ///
    /// # Errors
    ///
    /// There is no such column, or it cannot be read.
    fn integer(&self, column: usize) -> Result<Option<i64>, Self::Error>;

    /// A floating-point number of 64 bits. PostgreSQL alone is asked for one.
    ///
    /// # Errors
    ///
    /// There is no such column, or it cannot be read.
    fn float(&self, column: usize) -> Result<Option<f64>, Self::Error>;

    /// Whether something is so.
    ///
    /// # Errors
    ///
    /// There is no such column, or it cannot be read.
    fn boolean(&self, column: usize) -> Result<Option<bool>, Self::Error>;
}
