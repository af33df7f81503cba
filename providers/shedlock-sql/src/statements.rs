//! The statements as text, built once per provider from files with places for names and values.

mod admin;
mod fragments;
pub(crate) mod template;

use std::sync::Arc;
use std::time::Duration;

use shedlock_runtime::AcquireRequest;

use crate::dialect::Dialect;
use crate::names::Names;
use fragments::Setting;
use template::{Builder, Variant};

pub use admin::AdminStatements;

/// Whose clock decides when a lease ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LockClock {
    /// The database's: the nodes' clocks do not matter.
    #[default]
    Database,
    /// Each node's own, as ShedLock does by default: keep them in step.
    Client,
}

/// Whose session runs the statements. It decides whether they check that they are in nobody's transaction, and whether an acquisition
/// limits its own wait for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Session {
    /// The provider made it, set its limits for lock waits, and runs nothing in it but single statements.
    Own,
    /// Others use it, too, and may have left it inside a transaction: a connection of the user's pool, or any behind a pooler.
    ///
    /// - PostgreSQL and MariaDB: inside a transaction each statement fails with
    ///   [`Fault::ForeignTransaction`](crate::Fault::ForeignTransaction), before it reads or writes. An acquisition waits for a row for
    ///   half a second or for one second.
    /// - MySQL: a statement fails so if autocommit is off. Whether there is a transaction, the provider has to ask.
    /// - SQLite: the provider has to ask for both.
    Shared,
}

/// A value that a statement asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Param {
    /// The lock's name, or what the names of the locks to prune begin with; text.
    Name,
    /// The owner as the acquisition stored it, without a number; text. Extensions and releases ask for it:
    /// [`OwnerWrite::first`](shedlock_runtime::OwnerWrite::first).
    First,
    /// The owner as this write stores it, or what an operator leaves in its place; text:
    /// [`OwnerWrite::stored`](shedlock_runtime::OwnerWrite::stored).
    Owner,
    /// `at_most`, what is left of `at_least`, or how long a lock must have been free, as [`lease_micros`]: a 64-bit integer; to
    /// PostgreSQL, an interval of so many microseconds.
    Lease,
    /// The client's time in microseconds since 1970, a 64-bit integer; asked for with [`LockClock::Client`] only.
    Now,
    /// When a pause ends, in microseconds since 1970, a 64-bit integer.
    Until,
}

/// The values of one operation.
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
}

/// One statement: its text and the values to bind, in order.
#[derive(Debug, Clone)]
pub struct Statement {
    text: Arc<str>,
    params: Vec<Param>,
    /// What stands before each place for a value, and that value; then what stands behind the last.
    pieces: Vec<(String, Param)>,
    rest: String,
}

impl Statement {
    /// The text, with the dialect's own placeholders.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// What to bind, in order.
    #[must_use]
    pub fn params(&self) -> &[Param] {
        &self.params
    }

    /// The text with the values in it as PostgreSQL's literals, for its simple protocol: behind a pooler, a statement and
    /// its values must come in one message.
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
            }
        }
        text.push_str(&self.rest);
        text
    }
}

/// Whether the table has a column for fencing tokens.
///
/// # Examples
///
/// ```
/// use shedlock_sql::{Dialect, LockClock, Names, Sending, Session, Statements, TokenColumn};
///
/// let names = Names::shedlock(Dialect::Postgres);
/// let statements = Statements::new(&names, LockClock::Database, Session::Own);
/// let acquire = |column| statements.acquire(column, Sending::First).text();
/// assert!(acquire(TokenColumn::Present).contains("fencing_token"));
/// assert!(!acquire(TokenColumn::Missing).contains("fencing_token"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenColumn {
    /// The table has the column.
    Present,
    /// The table lacks the column, as the one in ShedLock's documentation does.
    Missing,
}

impl TokenColumn {
    /// In the order of [`index`](Self::index).
    const BOTH: [Self; 2] = [Self::Present, Self::Missing];

    const fn index(self) -> usize {
        match self {
            Self::Present => 0,
            Self::Missing => 1,
        }
    }
}

/// Whether the same request for a lock may have been sent before, as
/// [`AcquireRequest::may_have_been_sent`](shedlock_runtime::AcquireRequest::may_have_been_sent) knows.
///
/// # Examples
///
/// ```
/// use shedlock_sql::{Dialect, LockClock, Names, Sending, Session, Statements, TokenColumn};
///
/// let names = Names::shedlock(Dialect::Sqlite);
/// let statements = Statements::new(&names, LockClock::Database, Session::Own);
/// let acquire = |sending| statements.acquire(TokenColumn::Present, sending).text();
/// assert!(acquire(Sending::First).len() < acquire(Sending::Repeated).len());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// It was not. The statement is faster, and takes nothing if it arrives late, after its repetition.
    First,
    /// It may have been: the statement looks for a lease that the earlier request was granted.
    Repeated,
}

impl Sending {
    /// In the order of [`index`](Self::index).
    const BOTH: [Self; 2] = [Self::First, Self::Repeated];

    const fn index(self) -> usize {
        match self {
            Self::First => 0,
            Self::Repeated => 1,
        }
    }

    /// How this request is sent.
    #[must_use]
    pub fn from_request(request: &AcquireRequest) -> Self {
        if request.may_have_been_sent() {
            Self::Repeated
        } else {
            Self::First
        }
    }
}

/// All that a provider runs on the table.
///
/// # Examples
///
/// ```
/// use shedlock_sql::{Dialect, LockClock, Names, Param, Session, Statements};
///
/// let names = Names::shedlock(Dialect::Sqlite);
/// let statements = Statements::new(&names, LockClock::Database, Session::Own);
/// let release = &statements.release;
/// assert!(release.text().starts_with("UPDATE `main`.`shedlock` SET `lock_until` = CASE"));
/// assert_eq!(release.params(), [Param::Owner, Param::Lease, Param::Name, Param::First]);
/// ```
#[derive(Debug, Clone)]
pub struct Statements {
    acquire: [[Statement; 2]; 2],
    holder: [Statement; 2],
    /// Moves the end of a live lease.
    pub extend: Statement,
    /// Ends a lease, or leaves it until `at_least`.
    pub release: Statement,
    /// Fails where the fencing token's column is missing; never gives a row.
    pub probe: Statement,
    /// Gives the name of a lock without an end, or taken in the future, if there is one: signs of a wrong hand, clock or
    /// time zone.
    pub suspicious_row: Statement,
    /// What an operator does.
    pub admin: AdminStatements,
}

impl Statements {
    /// Takes the lock.
    #[must_use]
    pub fn acquire(&self, column: TokenColumn, sending: Sending) -> &Statement {
        &self.acquire[column.index()][sending.index()]
    }

    /// Says who holds the lock and for how long, without waiting for a row: asked when the table was busy to the end of a call, when
    /// a trigger has taken the answer of [`acquire`](Self::acquire) away, and for a refusal in SQLite.
    #[must_use]
    pub fn holder(&self, column: TokenColumn) -> &Statement {
        &self.holder[column.index()]
    }

    /// The statements on the table of these `names`, for sessions of this kind.
    #[must_use]
    pub fn new(names: &Names, clock: LockClock, session: Session) -> Self {
        macro_rules! files {
            ($dialect:literal) => {
                [
                    include_str!(concat!("../sql/", $dialect, "/acquire.sql")),
                    include_str!(concat!("../sql/", $dialect, "/extend.sql")),
                    include_str!(concat!("../sql/", $dialect, "/release.sql")),
                    include_str!(concat!("../sql/", $dialect, "/holder.sql")),
                    include_str!(concat!("../sql/", $dialect, "/suspicious_row.sql")),
                ]
            };
        }
        let dialect = names.dialect();
        let [acquire, extend, release, holder, suspicious_row] = match dialect {
            Dialect::Postgres => files!("postgres"),
            Dialect::MySql => files!("mysql"),
            Dialect::Sqlite => files!("sqlite"),
        };
        let builder = |clock| Builder {
            names,
            setting: Setting {
                dialect,
                clock,
                session,
            },
        };
        let with_token = Variant::on(TokenColumn::Present);
        let build = |text| builder(clock).build(text, with_token);
        let acquiring = |column, sending| {
            let variant = Variant::on(column);
            builder(clock).build(acquire, Variant { sending, ..variant })
        };
        let holding = |column| builder(clock).build(holder, Variant::on(column));
        Self {
            acquire: TokenColumn::BOTH
                .map(|column| Sending::BOTH.map(|sending| acquiring(column, sending))),
            holder: TokenColumn::BOTH.map(holding),
            extend: build(extend),
            release: build(release),
            probe: build("SELECT {fencing_token} FROM {table} WHERE 1 = 0"),
            suspicious_row: builder(LockClock::Database).build(suspicious_row, with_token),
            admin: AdminStatements::new(builder(clock)),
        }
    }
}

/// `at_most`, or what is left of `at_least`, in the microseconds that statements ask for.
///
/// A millisecond is added: a column that cuts the end to milliseconds must not end a lease early. Zero stays zero, as
/// the lock is then free at once.
#[must_use]
pub fn lease_micros(duration: Duration) -> i64 {
    if duration.is_zero() {
        return 0;
    }
    let micros = duration.as_nanos().div_ceil(1_000) + 1_000;
    i64::try_from(micros).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod snapshot;
#[cfg(test)]
mod tests;
