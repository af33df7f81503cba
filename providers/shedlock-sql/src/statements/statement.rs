//! One statement and the values to bind.

use std::sync::Arc;

use crate::dialect::Dialect;

/// A value that a statement binds. A driver binds the values in the order of [`Statement::params`].
///
/// See [`BoundStatement`](crate::BoundStatement) for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Param {
    /// A text: the name of the lock, or the prefix of the names to forget.
    Name,
    /// A text: the owner as the acquisition stored it, without the number of a later write. Used by extensions and releases; see
    /// [`OwnerWrite::first`](shedlock_runtime::OwnerWrite::first).
    First,
    /// A text: the owner as this write stores it (see [`OwnerWrite::stored`](shedlock_runtime::OwnerWrite::stored)), or an operator's
    /// mark in the owner's place.
    Owner,
    /// A duration from [`lease_micros`](crate::lease_micros): the length of a lease, how long a release keeps the lock, or how long a
    /// lock must have been free to be deleted. A 64-bit integer of microseconds; for PostgreSQL, an interval of that length.
    Lease,
    /// The client's time in microseconds since 1970, a 64-bit integer. Used with [`LockClock::Client`](crate::LockClock::Client) only.
    Now,
    /// The end of a pause in microseconds since 1970, a 64-bit integer.
    Until,
    /// The position that a request asks for, a 64-bit integer: the milliseconds of a slot's period, the milliseconds since 1970 of an
    /// instant, or the number of a step.
    Number,
    /// How many runs may begin for one position, a 64-bit integer.
    Attempts,
}

/// The values of one operation. A [`Statement`] binds those in its [`params`](Statement::params).
///
/// # Examples
///
/// ```
/// use shedlock_sql::{Param, Values};
///
/// fn text<'v>(param: Param, values: &Values<'v>) -> Option<&'v str> {
///     match param {
///         Param::Name => Some(values.name),
///         Param::First => Some(values.first),
///         Param::Owner => Some(values.owner),
///         Param::Lease | Param::Now | Param::Until | Param::Number | Param::Attempts => None,
///     }
/// }
/// assert_eq!(text(Param::Name, &Values::named("mail")), Some("mail"));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// See [`Param::Name`].
    pub name: &'a str,
    /// See [`Param::First`].
    pub first: &'a str,
    /// See [`Param::Owner`].
    pub owner: &'a str,
    /// See [`Param::Lease`].
    pub lease: i64,
    /// See [`Param::Now`].
    pub now: i64,
    /// See [`Param::Until`].
    pub until: i64,
    /// See [`Param::Number`].
    pub number: i64,
    /// See [`Param::Attempts`].
    pub attempts: i64,
}

impl<'a> Values<'a> {
    /// The values of an operation that needs only the lock's `name`; the other values are empty or zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_sql::{Dialect, LockClock, Names, Session, Statements, Values};
    ///
    /// let names = Names::shedlock(Dialect::Postgres);
    /// let statements = Statements::new(&names, LockClock::Database, Session::Own);
    /// let text = statements.admin.resume.with_postgres_literals(&Values::named("mail"));
    /// assert!(text.contains("\"name\" = E'mail'"));
    /// ```
    #[must_use]
    pub const fn named(name: &'a str) -> Self {
        Self {
            name,
            first: "",
            owner: "",
            lease: 0,
            now: 0,
            until: 0,
            number: 0,
            attempts: 0,
        }
    }
}

/// One statement: its text, and the values to bind in order.
///
/// # Examples
///
/// ```
/// use shedlock_sql::{Dialect, LockClock, Names, Param, Session, Statements};
///
/// let names = Names::shedlock(Dialect::Postgres);
/// let statements = Statements::new(&names, LockClock::Database, Session::Own);
/// let extend = &statements.extend;
/// assert!(extend.text().contains("\"locked_by\" = $1"));
/// assert_eq!(extend.params()[0], Param::Owner);
/// ```
#[derive(Debug, Clone)]
pub struct Statement {
    pub(super) text: Arc<str>,
    pub(super) params: Vec<Param>,
    /// The text before each placeholder, with the placeholder's value; then the text after the last placeholder.
    pub(super) pieces: Vec<(String, Param)>,
    pub(super) rest: String,
}

impl Statement {
    /// The statement's text, with the dialect's placeholders.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The values to bind, in order.
    #[must_use]
    pub fn params(&self) -> &[Param] {
        &self.params
    }

    /// The statement's text with the values as PostgreSQL literals, for the simple query protocol: behind a pooler, a statement
    /// and its values must be sent in one message.
    #[must_use]
    pub fn with_postgres_literals(&self, values: &Values<'_>) -> String {
        let mut text = String::with_capacity(self.text.len() * 2);
        for (before, param) in &self.pieces {
            text.push_str(before);
            match param {
                Param::Name => text.push_str(&Dialect::Postgres.literal(values.name)),
                Param::First => text.push_str(&Dialect::Postgres.literal(values.first)),
                Param::Owner => text.push_str(&Dialect::Postgres.literal(values.owner)),
                Param::Lease => {
                    text.push_str("INTERVAL '");
                    text.push_str(&values.lease.to_string());
                    text.push_str(" microseconds'");
                }
                Param::Now => text.push_str(&values.now.to_string()),
                Param::Until => text.push_str(&values.until.to_string()),
                Param::Number => text.push_str(&values.number.to_string()),
                Param::Attempts => text.push_str(&values.attempts.to_string()),
            }
        }
        text.push_str(&self.rest);
        text
    }
}
