//! The statements as text, built once per provider from files with places for names and values.

mod admin;
mod template;

use std::sync::Arc;
use std::time::Duration;

use crate::dialect::Dialect;
use crate::names::Names;

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

/// A value that a statement asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Param {
    /// The lock's name, or what the names of the locks to prune begin with; text.
    Name,
    /// The owner as stored, or what an operator leaves in its place; text.
    Owner,
    /// `at_most`, what is left of `at_least`, or how long a lock must have been free, as [`lease_micros`]: a 64-bit integer; to PostgreSQL, an interval of so
    /// many microseconds.
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
                Param::Name => template::push_postgres_literal(&mut text, values.name),
                Param::Owner => template::push_postgres_literal(&mut text, values.owner),
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
    /// Takes the lock, on a table with the fencing token's column.
    pub acquire: Statement,
    /// Takes the lock, on a table without.
    pub acquire_plain: Statement,
    /// Moves the end of a live lease.
    pub extend: Statement,
    /// Ends a lease, or leaves it until `at_least`.
    pub release: Statement,
    /// Says who holds the lock and for how long, in SQLite: there, [`acquire`](Self::acquire) cannot say so itself.
    pub holder: Statement,
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
    #[must_use]
    pub fn acquire_on(&self, fencing: bool) -> &Statement {
        if fencing {
            &self.acquire
        } else {
            &self.acquire_plain
        }
    }

    /// The statements on the table of these `names`.
    #[must_use]
    pub fn new(names: &Names, clock: LockClock) -> Self {
        macro_rules! files {
            ($dialect:literal) => {
                [
                    include_str!(concat!("../sql/", $dialect, "/acquire.sql")),
                    include_str!(concat!("../sql/", $dialect, "/extend.sql")),
                    include_str!(concat!("../sql/", $dialect, "/release.sql")),
                    include_str!(concat!("../sql/", $dialect, "/future.sql")),
                ]
            };
        }
        let [acquire, extend, release, future] = match names.dialect() {
            Dialect::Postgres => files!("postgres"),
            Dialect::MySql => files!("mysql"),
            Dialect::Sqlite => files!("sqlite"),
        };
        let build = |text, fencing| template::build(text, names, clock, fencing);
        let now = LockClock::Database;
        Self {
            acquire: build(acquire, true),
            acquire_plain: build(acquire, false),
            extend: build(extend, true),
            release: build(release, true),
            holder: build(include_str!("../sql/sqlite/holder.sql"), true),
            probe: build("SELECT {fencing_token} FROM {table} WHERE 1 = 0", true),
            future: template::build(future, names, now, true),
            admin: AdminStatements::new(names, clock),
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
mod tests;
