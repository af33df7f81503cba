//! What a driver is given, and what it gives back.

use std::time::Duration;

use crate::statements::{Statement, Values};

/// A statement and the values to bind.
///
/// # Examples
///
/// ```
/// use shedlock_sql::{BoundStatement, Param};
///
/// /// The texts among the values, in the order of the placeholders.
/// fn texts<'a>(bound: &BoundStatement<'a>) -> Vec<&'a str> {
///     let text = |param: &Param| match param {
///         Param::Name => Some(bound.values.name),
///         Param::First => Some(bound.values.first),
///         Param::Owner => Some(bound.values.owner),
///         Param::Lease | Param::Now | Param::Until => None,
///     };
///     bound.statement.params().iter().filter_map(text).collect()
/// }
/// ```
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
    /// How many rows were found or changed.
    pub rows: u64,
    /// MySQL's insert id, by which statements answer; zero elsewhere.
    pub insert_id: u64,
}

/// Why there is no connection.
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
    /// Only this one: somebody left it inside a transaction.
    One,
    /// Probably all that were made before: the server was restarted, say.
    All,
    /// All that were made before, and a new one too, unless the primary is elsewhere by now.
    Server,
}
