//! The statements as text, built once per provider from files with places for names and values.

mod admin;
mod fragments;
mod statement;
pub(crate) mod template;

use std::time::Duration;

use shedlock_runtime::AcquireRequest;

use crate::dialect::Dialect;
use crate::names::Names;
use fragments::Setting;
use template::{Builder, Variant};

pub use admin::AdminStatements;
pub use statement::{Param, Statement, Values};

/// Whose clock decides when a lease ends.
///
/// # Examples
///
/// ```
/// use shedlock_sql::LockClock;
///
/// assert_eq!(LockClock::default(), LockClock::Database);
/// ```
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
///
/// # Examples
///
/// ```
/// use shedlock_sql::{Dialect, LockClock, Names, Session, Statements};
///
/// let names = Names::shedlock(Dialect::Postgres);
/// let release = |session| {
///     let statements = Statements::new(&names, LockClock::Database, session);
///     statements.release.text().to_string()
/// };
/// // In somebody else's transaction this one fails.
/// assert!(release(Session::Shared).contains("statement_timestamp()"));
/// assert!(!release(Session::Own).contains("statement_timestamp()"));
/// ```
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
