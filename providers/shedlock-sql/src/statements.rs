//! The statements as text, built once per provider from files with places for names and values.

mod admin;
mod template;

use std::sync::Arc;
use std::time::Duration;

use crate::dialect::Dialect;
use crate::names::Names;
use template::Builder;

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

/// All that a provider runs on the table.
#[derive(Debug, Clone)]
pub struct Statements {
    /// On a table without the fencing token's column and with it, each sent for the first time and sent again.
    acquire: [[Statement; 2]; 2],
    /// Moves the end of a live lease.
    pub extend: Statement,
    /// Ends a lease, or leaves it until `at_least`.
    pub release: Statement,
    /// Says who holds the lock and for how long, without waiting for a row: asked when the table was busy to the end of a call, when
    /// a trigger has taken the answer of [`acquire_on`](Self::acquire_on) away, and for a refusal in SQLite. On a table with the fencing
    /// token's column.
    pub holder: Statement,
    /// The same on a table without.
    pub holder_plain: Statement,
    /// Fails where the fencing token's column is missing; never gives a row.
    pub probe: Statement,
    /// Gives the name of a lock without an end, or taken in the future, if there is one: signs of a wrong hand, clock or
    /// time zone.
    pub future: Statement,
    /// What an operator does.
    pub admin: AdminStatements,
}

impl Statements {
    /// Takes the lock, on a table with the fencing token's column or without.
    ///
    /// `again` says that the same request may have been sent before, as
    /// [`AcquireRequest::may_have_been_sent`](shedlock_runtime::AcquireRequest::may_have_been_sent) knows: then the statement looks for a lease that
    /// the earlier one was granted. The statement for the first time is faster. If it arrives late, after its repetition, it takes
    /// nothing.
    #[must_use]
    pub fn acquire_on(&self, fencing: bool, again: bool) -> &Statement {
        &self.acquire[usize::from(fencing)][usize::from(again)]
    }

    /// Says who holds the lock, on a table with the fencing token's column or without.
    #[must_use]
    pub fn holder_on(&self, fencing: bool) -> &Statement {
        if fencing {
            &self.holder
        } else {
            &self.holder_plain
        }
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
                    include_str!(concat!("../sql/", $dialect, "/future.sql")),
                ]
            };
        }
        let [acquire, extend, release, holder, future] = match names.dialect() {
            Dialect::Postgres => files!("postgres"),
            Dialect::MySql => files!("mysql"),
            Dialect::Sqlite => files!("sqlite"),
        };
        let builder = Builder {
            names,
            clock,
            session,
        };
        let build = |text, fencing| builder.build(text, fencing);
        let by_the_database = Builder {
            clock: LockClock::Database,
            ..builder
        };
        Self {
            acquire: [false, true].map(|fencing| {
                [false, true].map(|again| builder.build_acquisition(acquire, fencing, again))
            }),
            extend: build(extend, true),
            release: build(release, true),
            holder: build(holder, true),
            holder_plain: build(holder, false),
            probe: build("SELECT {fencing_token} FROM {table} WHERE 1 = 0", true),
            future: by_the_database.build(future, true),
            admin: AdminStatements::new(builder),
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
