//! The traits that a provider crate implements over its SQL driver: how to get a connection, and how to send a statement on it.

mod handed;

use std::future::Future;
use std::time::{Duration, Instant};

use shedlock_runtime::LockError;

use crate::dialect::Dialect;
use crate::fault::Fault;
use crate::names::Names;

pub use handed::{BoundStatement, Done, NoConnection, Reach, Replaced};

/// A driver for one kind of database, through which [`SqlLocks`](crate::SqlLocks) reaches the database.
///
/// A driver stores no statements and interprets no answers. A driver hands out connections, sends the statements of `SqlLocks`, and maps
/// the errors of the database to [`Fault`]s.
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
    /// The error of a failed statement or a failed connection.
    type Error: std::error::Error + Send + Sync + 'static;

    /// A connection in use. If a connection is dropped without [`Connection::give_back`], for example because the call was cancelled, an
    /// answer may still be in flight: the driver then closes the connection, or resets it before the next use.
    type Connection: Connection<Error = Self::Error>;

    /// The SQL dialect of the server.
    const DIALECT: Dialect;

    /// Hands out a connection within `limit`. A driver that pings an idle connection first waits at most `part` for the answer, and
    /// counts in `replaced` each connection that did not answer.
    fn checkout(
        &self,
        limit: Duration,
        part: Duration,
        replaced: &mut Replaced,
    ) -> impl Future<Output = Result<Self::Connection, NoConnection<Self::Error>>> + Send;

    /// Closes an unusable connection, and the further connections that `reach` names, and counts the closed one in `replaced`.
    fn close(&self, connection: Self::Connection, replaced: &mut Replaced, reach: Reach);

    /// How long a statement waits for a lock of another session before it fails as busy, by the settings of the driver's sessions. A
    /// driver whose connections serve several calls at once chooses a shorter time than [`Dialect::row_wait`], so that one waiting
    /// statement does not hold up the others; the statement is then retried accordingly more often, and one call at a time.
    fn row_wait(&self) -> Duration {
        Self::DIALECT.row_wait()
    }

    /// Whether the file that the connection has open was replaced or deleted, so that its path now names another file or none.
    fn has_moved(&self, _connection: &Self::Connection) -> bool {
        false
    }

    /// Returns an error if the pool or URL behind the connections cannot be used for locks. Called once, before the first statement.
    fn refuse_origin(
        &self,
        _connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Option<LockError>, Self::Error>> + Send {
        std::future::ready(Ok(None))
    }

    /// The meaning of `error`, if the database itself reported it; `None` for an error of the driver or the network.
    fn fault(error: &Self::Error) -> Option<Fault>;

    /// The database's own message in `error`.
    fn message(error: &Self::Error) -> String;

    /// Converts the error of a failed statement. The functions of [`explain`](crate::explain) build the errors common to all drivers.
    fn failed(names: &Names, error: Self::Error) -> LockError;

    /// Converts the error of a connection that could not be opened, with the functions of [`explain`](crate::explain).
    fn unreachable(names: &Names, error: Self::Error) -> LockError;
}

/// One connection of a [`Driver`].
///
/// See [`Driver`] for an example.
pub trait Connection: Send + Sized {
    /// The error of a failed statement.
    type Error;
    /// A row of a result.
    type Row: Row<Error = Self::Error> + Send + Sync;

    /// Returns the connection to the driver for reuse, after its last statement was answered completely.
    fn give_back(self);

    /// Whether other code uses the connection too and may have left it inside a transaction, as with a connection of a pool.
    fn is_shared(&self) -> bool;

    /// Whether the connection was opened for this call, so that replacing it would not help.
    fn is_new(&self) -> bool;

    /// Whether the connection may be dead without an error: the server is remote, and the connection was idle for a while.
    fn may_be_dead(&self) -> bool;

    /// Returns a function for the time of the connection's last answer, whichever call it was for. A driver whose connections serve several
    /// calls at once implements it: a call that waits behind others then does not take the connection for dead while those get answers.
    fn pulse(&self) -> impl Fn() -> Option<Instant> + Send + 'static {
        || None
    }

    /// Whether statements can be prepared by name. Behind a pooler they cannot: the next message may go to another session.
    fn can_prepare(&self) -> bool;

    /// Runs a statement to its end and returns its rows. The server commits after the last row, and the commit may fail.
    fn fetch(
        &mut self,
        statement: &BoundStatement<'_>,
    ) -> impl Future<Output = Result<Vec<Self::Row>, Self::Error>> + Send;

    /// Runs a statement that returns no rows.
    fn execute(
        &mut self,
        statement: &BoundStatement<'_>,
    ) -> impl Future<Output = Result<Done, Self::Error>> + Send;

    /// Runs an SQL text without values, unprepared and in one message.
    fn query(
        &mut self,
        text: String,
    ) -> impl Future<Output = Result<Vec<Self::Row>, Self::Error>> + Send;

    /// Whether the connection is inside a transaction. Called on a [shared](Self::is_shared) connection before a statement that cannot
    /// check this itself.
    fn is_inside_transaction(&mut self) -> impl Future<Output = Result<bool, Self::Error>> + Send;
}

/// A row of a result. NULL is `None`; a value of a type other than the requested one is an error.
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
    /// The error if there is no such column, or if the column has another type.
    type Error;

    /// Reads a text, of any of the server's text types.
    ///
    /// # Errors
    ///
    /// There is no such column, or its value cannot be read as this type.
    fn text(&self, column: usize) -> Result<Option<&str>, Self::Error>;

    /// Reads an integer of up to 64 bits.
    ///
    /// # Errors
    ///
    /// There is no such column, or its value cannot be read as this type.
    fn integer(&self, column: usize) -> Result<Option<i64>, Self::Error>;

    /// Reads a 64-bit floating-point number. Only the statements for PostgreSQL return one.
    ///
    /// # Errors
    ///
    /// There is no such column, or its value cannot be read as this type.
    fn float(&self, column: usize) -> Result<Option<f64>, Self::Error>;

    /// Reads a boolean.
    ///
    /// # Errors
    ///
    /// There is no such column, or its value cannot be read as this type.
    fn boolean(&self, column: usize) -> Result<Option<bool>, Self::Error>;
}
