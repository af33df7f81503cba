//! The statements of an operator.

use super::template::{Builder, Rows, Variant};
use super::{PositionKind, Statement, TokenColumn};
use crate::dialect::Dialect;

/// The statements that an operator runs on the table.
///
/// The reading statements return rows of: the name, the owner, the start, the end and the database's time in microseconds since
/// 1970, the fencing token, and the type of the end. Start, end and token may be NULL.
///
/// # Examples
///
/// ```
/// use shedlock_sql::{Dialect, LockClock, Names, Param, Session, Statements};
///
/// let names = Names::shedlock(Dialect::MySql);
/// let statements = Statements::new(&names, LockClock::Database, Session::Own);
/// assert_eq!(statements.admin.resume.params(), [Param::Name, Param::Name]);
/// ```
#[derive(Debug, Clone)]
pub struct AdminStatements {
    read_all: [Statement; 2],
    read_one: [Statement; 2],
    /// The query for the row of one lock with its position; the rows have three more columns, the position, whether it is done, and the
    /// number of its tries.
    pub read_position: Statement,
    /// The query for all rows with their positions, in the same three columns.
    pub read_all_positions: Statement,
    pause: [Statement; 2],
    /// Frees a lock regardless of its holder.
    pub force_release: Statement,
    /// Ends a pause.
    pub resume: Statement,
    /// Deletes locks whose names begin with a prefix and that have been free for a given time, at most
    /// [`PRUNE_BATCH`](Self::PRUNE_BATCH) of them.
    pub prune: Statement,
}

impl AdminStatements {
    /// The maximum number of rows that one [`prune`](Self::prune) deletes, as other sessions may have to wait while it runs.
    pub const PRUNE_BATCH: u64 = 1_000;

    pub(super) fn new(builder: Builder<'_>) -> Self {
        macro_rules! files {
            ($dialect:literal) => {
                [
                    include_str!(concat!("../../sql/", $dialect, "/read.sql")),
                    include_str!(concat!("../../sql/", $dialect, "/pause.sql")),
                    include_str!(concat!("../../sql/", $dialect, "/force_release.sql")),
                    include_str!(concat!("../../sql/", $dialect, "/resume.sql")),
                    include_str!(concat!("../../sql/", $dialect, "/prune.sql")),
                ]
            };
        }
        let [read, pause, force_release, resume, prune] = match builder.names.dialect() {
            Dialect::Postgres => files!("postgres"),
            Dialect::MySql => files!("mysql"),
            Dialect::Sqlite => files!("sqlite"),
        };
        let on = |text: &str, column| builder.build(text, Variant::on(column));
        let reading = |rows| {
            TokenColumn::BOTH.map(|column| {
                let variant = Variant::on(column);
                builder.build(read, Variant { rows, ..variant })
            })
        };
        let with_position = |rows| {
            let position = Some(PositionKind::Slot);
            let variant = Variant::on(TokenColumn::Present);
            builder.build(
                read,
                Variant {
                    rows,
                    position,
                    ..variant
                },
            )
        };
        Self {
            read_all: reading(Rows::All),
            read_one: reading(Rows::One),
            read_position: with_position(Rows::One),
            read_all_positions: with_position(Rows::All),
            pause: TokenColumn::BOTH.map(|column| on(pause, column)),
            force_release: on(force_release, TokenColumn::Present),
            resume: on(resume, TokenColumn::Present),
            prune: on(prune, TokenColumn::Present),
        }
    }

    /// The query for all rows.
    #[must_use]
    pub fn read_all(&self, column: TokenColumn) -> &Statement {
        &self.read_all[column.index()]
    }

    /// The query for the row of one lock.
    #[must_use]
    pub fn read_one(&self, column: TokenColumn) -> &Statement {
        &self.read_one[column.index()]
    }

    /// The statement that pauses a lock.
    #[must_use]
    pub fn pause(&self, column: TokenColumn) -> &Statement {
        &self.pause[column.index()]
    }
}
