//! The statements as text, built once per provider from template files with placeholders for names and values.

mod admin;
mod fragments;
mod history;
mod position;
mod statement;
pub(crate) mod template;
mod transaction;
mod values;

use std::time::Duration;

use shedlock_runtime::AcquireRequest;

use crate::dialect::Dialect;
use crate::names::Names;
use fragments::Setting;
use template::{Builder, Settling, Variant};

pub use admin::AdminStatements;
pub(crate) use history::{Deletion, HistoryStatements, any_of};
pub use position::PositionKind;
pub use statement::Statement;
pub(crate) use transaction::TransactionStatements;
pub use values::{Param, RunValues, Value, Values};

/// The clock by which a lease ends.
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
    /// The database server's clock; the nodes' clocks do not matter.
    #[default]
    Database,
    /// The clock of each node, as in ShedLock's default. The nodes' clocks must be synchronized.
    Client,
}

/// The kind of session that runs the statements. Statements for a shared session check that they are not inside a transaction of other
/// code, and limit the acquisition's wait for a row.
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
/// // This statement fails inside a transaction of other code.
/// assert!(release(Session::Shared).contains("statement_timestamp()"));
/// assert!(!release(Session::Own).contains("statement_timestamp()"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Session {
    /// A session that the provider opened and uses alone: its lock timeouts are set, and only single statements run in it.
    Own,
    /// A session that other code may have left inside a transaction: a connection of the user's pool, or any behind a pooler.
    ///
    /// - PostgreSQL and MariaDB: inside a transaction each statement fails with
    ///   [`Fault::ForeignTransaction`](crate::Fault::ForeignTransaction), before it reads or writes. An acquisition waits for a locked row
    ///   for at most half a second in PostgreSQL, and one second in MariaDB.
    /// - MySQL: each statement fails with that fault if autocommit is off. The provider itself has to check for a transaction.
    /// - SQLite: the provider itself has to check for a transaction.
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
    /// The table lacks the column, like the table in ShedLock's documentation.
    Missing,
}

impl TokenColumn {
    /// Both variants, in the order of [`index`](Self::index).
    const BOTH: [Self; 2] = [Self::Present, Self::Missing];

    const fn index(self) -> usize {
        match self {
            Self::Present => 0,
            Self::Missing => 1,
        }
    }
}

/// Whether the same request for a lock may have been sent before, as
/// [`AcquireRequest::may_have_been_sent`](shedlock_runtime::AcquireRequest::may_have_been_sent) reports.
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
    /// The request was not sent before. The statement is faster, and does not take the lock if it arrives late, after its repetition.
    First,
    /// The request may have been sent before. The statement also finds a lease that was granted to the earlier copy.
    Repeated,
    /// As `Repeated`. The others leave the record of a lease alone that has ended, perhaps without a release, so that it can be read; this
    /// statement overwrites it.
    Taking,
}

impl Sending {
    /// All variants, in the order of [`index`](Self::index).
    const ALL: [Self; 3] = [Self::First, Self::Repeated, Self::Taking];

    const fn index(self) -> usize {
        match self {
            Self::First => 0,
            Self::Repeated => 1,
            Self::Taking => 2,
        }
    }

    /// `Repeated` if `request` may have been sent before, else `First`.
    #[must_use]
    pub fn from_request(request: &AcquireRequest) -> Self {
        if request.may_have_been_sent() {
            Self::Repeated
        } else {
            Self::First
        }
    }
}

/// All statements that a provider runs on the table.
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
    acquire: [[Statement; 3]; 2],
    holder: [Statement; 2],
    acquire_position: [[Statement; 3]; 3],
    /// Reads the record of a lock for a request that asks for a position and was refused: the owner, the remaining time, the position,
    /// and the database's time.
    pub position: Statement,
    /// Moves the end of a live lease.
    pub extend: Statement,
    /// Ends a lease, or shortens it to the rest of `at_least`.
    pub release: Statement,
    /// [`release`](Self::release) after a run that succeeded: also marks the position as done.
    pub release_done: Statement,
    /// [`release`](Self::release) of a grant with which no run has begun: also takes the try off the position.
    pub release_unused: Statement,
    /// Fails if the column for fencing tokens is missing; never returns a row.
    pub probe: Statement,
    /// Returns the name of a lock whose end is NULL or whose start is in the future, if there is one: signs of a manual edit, or of a
    /// wrong clock or time zone.
    pub suspicious_row: Statement,
    /// The statements of an operator.
    pub admin: AdminStatements,
    pub(crate) transaction: TransactionStatements,
}

impl Statements {
    /// The statement that takes a lock.
    #[must_use]
    pub fn acquire(&self, column: TokenColumn, sending: Sending) -> &Statement {
        &self.acquire[column.index()][sending.index()]
    }

    /// The statement that takes a lock for a position of this kind. The table must have the columns for positions and fencing tokens.
    #[must_use]
    pub fn acquire_position(&self, kind: PositionKind, sending: Sending) -> &Statement {
        &self.acquire_position[kind.index()][sending.index()]
    }

    /// The query for a lock's holder and remaining time, which waits for no row lock. It runs if the table stayed busy to the end of a
    /// call, if a trigger has overwritten the answer of [`acquire`](Self::acquire), and after a refusal in SQLite.
    #[must_use]
    pub fn holder(&self, column: TokenColumn) -> &Statement {
        &self.holder[column.index()]
    }

    /// Builds the statements on the table of these `names`, by this `clock`, for sessions of this kind.
    #[must_use]
    pub fn new(names: &Names, clock: LockClock, session: Session) -> Self {
        Self::in_zone(names, clock, session, &[])
    }

    /// As [`new`](Self::new), on a table whose times depend on the session's time zone, which has these `zones` as its names, in lower
    /// case. In a session of another zone each statement fails with [`Fault::OtherZone`](crate::Fault::OtherZone).
    pub(crate) fn in_zone(
        names: &Names,
        clock: LockClock,
        session: Session,
        zones: &[String],
    ) -> Self {
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
                zones,
            },
        };
        let with_token = Variant::on(TokenColumn::Present);
        let build = |text| builder(clock).build(text, with_token);
        let acquiring = |column, sending| {
            let variant = Variant::on(column);
            builder(clock).build(acquire, Variant { sending, ..variant })
        };
        let holding = |column| builder(clock).build(holder, Variant::on(column));
        let for_position = |text, sending, kind| {
            let variant = Variant {
                sending,
                position: Some(kind),
                ..with_token
            };
            builder(clock).build(text, variant)
        };
        let releasing = |settling| {
            let variant = Variant {
                settling,
                ..with_token
            };
            builder(clock).build(release, variant)
        };
        Self {
            acquire: TokenColumn::BOTH
                .map(|column| Sending::ALL.map(|sending| acquiring(column, sending))),
            acquire_position: PositionKind::ALL
                .map(|kind| Sending::ALL.map(|sending| for_position(acquire, sending, kind))),
            // What is read is the same for each kind.
            position: for_position(holder, Sending::Repeated, PositionKind::Slot),
            holder: TokenColumn::BOTH.map(holding),
            extend: build(extend),
            release: build(release),
            release_done: releasing(Settling::Done),
            release_unused: releasing(Settling::Unused),
            probe: build("SELECT {fencing_token} FROM {table} WHERE 1 = 0"),
            suspicious_row: builder(LockClock::Database).build(suspicious_row, with_token),
            admin: AdminStatements::new(builder(clock)),
            transaction: TransactionStatements::new(builder(clock)),
        }
    }
}

/// Converts `at_most`, or the rest of `at_least`, to the microseconds that a statement binds.
///
/// A millisecond is added, so that a column that truncates the end to milliseconds does not end a lease early. Zero stays zero: the lock
/// is then free at once.
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
