//! The values that `SqlLocks` and a driver exchange.

use std::time::Duration;

use crate::statements::{Statement, Values};

/// A statement with the values to bind.
///
/// # Examples
///
/// ```
/// use shedlock_sql::{BoundStatement, Value};
///
/// /// The values as a driver might print them, in the order of the placeholders.
/// fn shown(bound: &BoundStatement<'_>) -> Vec<String> {
///     let show = |value| match value {
///         Value::Text(Some(text)) => text.to_owned(),
///         Value::Integer(Some(number)) | Value::Duration(number) => number.to_string(),
///         Value::Text(None) | Value::Integer(None) => "NULL".to_owned(),
///     };
///     bound.statement.params().iter().map(|param| show(bound.values.get(*param))).collect()
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct BoundStatement<'a> {
    /// The text, and which values to bind in which order.
    pub statement: &'a Statement,
    /// The values of the operation; a statement uses only those in its `params`.
    pub values: &'a Values<'a>,
    /// Whether to prepare the statement by name. If false, the statement and its values are sent in one message.
    pub is_prepared: bool,
}

/// The result of a statement that returns no rows.
///
/// # Examples
///
/// ```
/// use shedlock_sql::Done;
///
/// let one_row = Done { rows: 1, ..Done::default() };
/// assert_eq!(one_row.insert_id, 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// The number of rows that the statement found or changed.
    pub rows: u64,
    /// MySQL's insert id, in which the statements for MySQL return their answer; zero for other databases.
    pub insert_id: u64,
}

/// Why [`Driver::checkout`](crate::Driver::checkout) could not hand out a connection.
///
/// # Examples
///
/// ```
/// use std::io;
/// use shedlock_sql::NoConnection;
///
/// let refused = NoConnection::Failed(io::Error::from(io::ErrorKind::ConnectionRefused));
/// assert!(matches!(refused, NoConnection::Failed(_)));
/// ```
#[derive(Debug)]
pub enum NoConnection<E> {
    /// All connections of the user's pool are in use.
    Exhausted,
    /// All of the provider's own connections are in use by other calls.
    Waiting,
    /// No connection was opened within this time.
    Slow(Duration),
    /// Opening a connection failed with this error.
    Failed(E),
}

/// The number of connections that one call has given up.
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
    /// Counts one more connection that was given up.
    pub fn add_one(&mut self) {
        self.0 += 1;
    }

    /// The number of connections that were given up.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0
    }
}

/// Which connections to close after an error; see [`Driver::close`](crate::Driver::close).
///
/// # Examples
///
/// ```
/// use shedlock_sql::Reach;
///
/// /// Whether the connections that sit idle are to be closed, too.
/// fn closes_idle(reach: Reach) -> bool {
///     reach != Reach::One
/// }
/// assert!(closes_idle(Reach::All));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only the connection with the error, for example because other code left it inside a transaction.
    One,
    /// The connection with the error and all idle ones, for example because the server was restarted.
    All,
    /// As [`All`](Self::All), for an error such as "read-only": a new connection gets it too, unless another server is the primary by then.
    Server,
}
