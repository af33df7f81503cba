//! The values that statements bind.

/// A value that a statement binds. A driver binds the values in the order of [`Statement::params`](crate::Statement::params), each as
/// [`Values::get`] returns it.
///
/// See [`BoundStatement`](crate::BoundStatement) for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Param {
    /// The name of the lock, or the prefix of the names to forget.
    Name,
    /// The owner as the acquisition stored it, without the number of a later write. Used by extensions and releases; see
    /// [`OwnerWrite::first`](shedlock_runtime::OwnerWrite::first).
    First,
    /// The owner as this write stores it (see [`OwnerWrite::stored`](shedlock_runtime::OwnerWrite::stored)), or an operator's mark in the
    /// owner's place.
    Owner,
    /// A duration in microseconds: the length of a lease from [`lease_micros`](crate::lease_micros), how long a release keeps the lock, how
    /// long a lock must have been free to be deleted, or how long runs stay in the history.
    Lease,
    /// The client's time in microseconds since 1970. Used with [`LockClock::Client`](crate::LockClock::Client) only.
    Now,
    /// The end of a pause in microseconds since 1970.
    Until,
    /// The position that a request asks for: the milliseconds of a slot's period, the milliseconds since 1970 of an instant, or the number
    /// of a step. For the history: how many runs of a lock stay in it.
    Number,
    /// How many runs may begin for one position.
    Attempts,
    /// When a run began, or the start of a range of such times, in microseconds since 1970.
    Began,
    /// When a run ended, or the end of a range of times when runs began, in microseconds since 1970.
    Ended,
    /// The node that ran.
    Node,
    /// The word for the end of a run; see [`RunOutcome::as_str`](shedlock_runtime::RunOutcome::as_str).
    Outcome,
    /// The text of the error with which a run failed.
    Error,
    /// The fencing token of a run.
    Token,
    /// The slot or instant of a run in milliseconds since 1970, or its step.
    Position,
    /// One if the position of a run is done, otherwise zero.
    Done,
    /// How many runs had begun for the position of a run.
    Tries,
}

/// A value as a driver binds it.
///
/// See [`BoundStatement`](crate::BoundStatement) for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A text, or NULL.
    Text(Option<&'a str>),
    /// A 64-bit integer, or NULL.
    Integer(Option<i64>),
    /// A duration of this many microseconds: for PostgreSQL an interval, for other databases a 64-bit integer.
    Duration(i64),
}

/// The values of one operation. A [`Statement`](crate::Statement) binds those in its [`params`](crate::Statement::params).
///
/// # Examples
///
/// ```
/// use shedlock_sql::{Param, Value, Values};
///
/// let values = Values { attempts: 3, ..Values::named("mail") };
/// assert_eq!(values.get(Param::Name), Value::Text(Some("mail")));
/// assert_eq!(values.get(Param::Attempts), Value::Integer(Some(3)));
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
    /// The values about a run in the history.
    pub run: RunValues<'a>,
}

/// The values of one run in the history; what is `None` is bound as NULL.
///
/// # Examples
///
/// ```
/// use shedlock_sql::{Param, RunValues, Value, Values};
///
/// let run = RunValues { node: "web-2", ..RunValues::NONE };
/// let values = Values { run, ..Values::named("mail") };
/// assert_eq!(values.get(Param::Node), Value::Text(Some("web-2")));
/// assert_eq!(values.get(Param::Error), Value::Text(None));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RunValues<'a> {
    /// See [`Param::Began`].
    pub began: i64,
    /// See [`Param::Ended`].
    pub ended: i64,
    /// See [`Param::Node`].
    pub node: &'a str,
    /// See [`Param::Outcome`].
    pub outcome: &'a str,
    /// See [`Param::Error`].
    pub error: Option<&'a str>,
    /// See [`Param::Token`].
    pub token: Option<i64>,
    /// See [`Param::Position`].
    pub position: Option<i64>,
    /// See [`Param::Done`].
    pub done: Option<i64>,
    /// See [`Param::Tries`].
    pub tries: Option<i64>,
}

impl RunValues<'_> {
    /// The values of an operation that is about no run.
    pub const NONE: Self = Self {
        began: 0,
        ended: 0,
        node: "",
        outcome: "",
        error: None,
        token: None,
        position: None,
        done: None,
        tries: None,
    };
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
            run: RunValues::NONE,
        }
    }

    /// The value for one placeholder.
    #[must_use]
    pub const fn get(&self, param: Param) -> Value<'a> {
        let run = &self.run;
        match param {
            Param::Name => Value::Text(Some(self.name)),
            Param::First => Value::Text(Some(self.first)),
            Param::Owner => Value::Text(Some(self.owner)),
            Param::Lease => Value::Duration(self.lease),
            Param::Now => Value::Integer(Some(self.now)),
            Param::Until => Value::Integer(Some(self.until)),
            Param::Number => Value::Integer(Some(self.number)),
            Param::Attempts => Value::Integer(Some(self.attempts)),
            Param::Began => Value::Integer(Some(run.began)),
            Param::Ended => Value::Integer(Some(run.ended)),
            Param::Node => Value::Text(Some(run.node)),
            Param::Outcome => Value::Text(Some(run.outcome)),
            Param::Error => Value::Text(run.error),
            Param::Token => Value::Integer(run.token),
            Param::Position => Value::Integer(run.position),
            Param::Done => Value::Integer(run.done),
            Param::Tries => Value::Integer(run.tries),
        }
    }
}
