//! The statements about the table of runs.

use shedlock_runtime::RunRecord;

use super::template::{Builder, Variant};
use super::{LockClock, Session, Statement, TokenColumn};
use crate::dialect::Dialect;
use crate::names::Names;
use crate::statements::fragments::Setting;

/// The statements about the table of runs.
#[derive(Debug, Clone)]
pub(crate) struct HistoryStatements {
    /// Adds the entry of a run.
    pub(crate) append: Statement,
    /// Returns the runs of a lock in a range of time, the latest first: the node, begin and end in microseconds since 1970, outcome, fencing
    /// token, error, and the three columns of the position.
    pub(crate) read: Statement,
    /// For a batch of the runs of all locks that ended too long ago by the database's clock.
    pub(crate) old: Deletion,
    /// For a batch of the runs of one lock, all but the last.
    pub(crate) surplus: Deletion,
}

/// How a batch of runs is deleted.
#[derive(Debug, Clone)]
pub(crate) enum Deletion {
    /// By one statement.
    Direct(Statement),
    /// By a query that returns name, begin and node of each run, and a deletion of runs with these keys.
    ByKeys {
        find: Statement,
        /// The deletion without the keys.
        delete: Statement,
    },
}

/// The condition that a run has one of these keys: name, begin and node.
pub(crate) fn any_of(names: &Names, keys: &[[String; 3]]) -> String {
    let dialect = names.dialect();
    let name = dialect.quote(names.columns().name());
    let one = |[lock, began, node]: &[String; 3]| {
        let [lock, began, node] = [lock, began, node].map(|text| dialect.literal(text));
        format!("({name} = {lock} AND began = {began} AND node = {node})")
    };
    let all: Vec<_> = keys.iter().map(one).collect();
    format!("({})", all.join(" OR "))
}

impl HistoryStatements {
    /// How many runs each of the two deletions deletes at most; they come in pairs.
    pub(crate) const DELETED_AT_ONCE: usize = RunRecord::MOST_DELETED / 2;

    /// The statements on the table of these `names`, for sessions of this kind.
    pub(crate) fn new(names: &Names, session: Session) -> Self {
        macro_rules! file {
            ($dialect:literal, $name:literal) => {
                include_str!(concat!("../../sql/", $dialect, "/history/", $name, ".sql"))
            };
        }
        let dialect = names.dialect();
        let builder = Builder {
            names,
            setting: Setting {
                dialect,
                // A node whose clock is wrong must not delete the runs of the others.
                clock: LockClock::Database,
                session,
                // The times of runs are no leases.
                zones: &[],
            },
        };
        let build = |file| builder.build(file, Variant::on(TokenColumn::Present));
        let direct = |file| Deletion::Direct(build(file));
        let by_keys = |file| Deletion::ByKeys {
            find: build(file),
            delete: build(file!("mysql", "delete")),
        };
        let (append, read, old, surplus) = match dialect {
            Dialect::Postgres => (
                file!("postgres", "append"),
                file!("postgres", "read"),
                direct(file!("postgres", "delete_old")),
                direct(file!("postgres", "delete_surplus")),
            ),
            Dialect::MySql => (
                file!("mysql", "append"),
                file!("mysql", "read"),
                by_keys(file!("mysql", "find_old")),
                by_keys(file!("mysql", "find_surplus")),
            ),
            Dialect::Sqlite => (
                file!("sqlite", "append"),
                file!("sqlite", "read"),
                direct(file!("sqlite", "delete_old")),
                direct(file!("sqlite", "delete_surplus")),
            ),
        };
        Self {
            append: build(append),
            read: build(read),
            old,
            surplus,
        }
    }
}
