//! What a provider crate writes over its driver: connections, and how a statement is sent on one.

use std::future::Future;
use std::time::Duration;

use shedlock_runtime::LockError;

use crate::dialect::Dialect;
use crate::fault::Fault;
use crate::names::Names;
use crate::statements::{Statement, Values};

/// A driver for one kind of database. [`SqlLocks`](crate::SqlLocks) asks through it.
///
/// A driver keeps no statement and judges no answer. It hands out connections, sends what it is given, and says which
/// [`Fault`] an error is.
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

/// A statement and the values to bind.
#[derive(Debug, Clone, Copy)]
pub struct BoundStatement<'a> {
    /// The text, and which values it asks for.
    pub statement: &'a Statement,
    /// The values.
    pub values: &'a Values<'a>,
    /// Whether to prepare the statement by name. Otherwise it goes in one message with its values.
    pub is_prepared: bool,
}

/// What a statement without rows has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// How many rows were found or changed.
    pub rows: u64,
    /// MySQL's insert id, by which statements answer; zero elsewhere.
    pub insert_id: u64,
}

/// Why there is no connection.
#[derive(Debug)]
pub enum NoConnection<E> {
    /// All of the user's pool are in use.
    Exhausted,
    /// All of the provider's own wait for an answer.
    Waiting,
    /// None could be had in time.
    Slow(Duration),
    /// None could be opened.
    Failed(E),
}

/// How many connections one call has given up.
///
/// # Examples
///
/// ```
/// use shedlock_sql::Replaced;
///
/// let mut replaced = Replaced::default();
/// replaced.add_one();
/// assert_eq!(replaced.count(), 1);
/// ```
#[derive(Debug, Default)]
pub struct Replaced(u32);

impl Replaced {
    /// Counts one more.
    pub fn add_one(&mut self) {
        self.0 += 1;
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0
    }
}

/// How many connections are of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only this one: somebody left it inside a transaction.
    One,
    /// Probably all that were made before: the server was restarted, say.
    All,
    /// All that were made before, and a new one too, unless the primary is elsewhere by now.
    Server,
}
