//! The statements of an operator.

use super::Statement;
use super::template::Builder;
use crate::dialect::Dialect;

/// What an operator runs on the table.
///
/// The reading ones give rows of: the name, the owner, the start, the end and the database's time in microseconds since 1970,
/// the fencing token, and the type of the end. Start, end and token may be NULL.
#[derive(Debug, Clone)]
pub struct AdminStatements {
    list: [Statement; 2],
    get: [Statement; 2],
    pause: [Statement; 2],
    /// Frees a lock, whoever holds it.
    pub force_release: Statement,
    /// Ends a pause.
    pub resume: Statement,
    /// Deletes some of the locks whose names begin so and that have been free for so long, if there are any. It deletes as
    /// many as [`PRUNE_BATCH`](Self::PRUNE_BATCH) unless fewer are left.
    pub prune: Statement,
}

impl AdminStatements {
    /// How many rows [`prune`](Self::prune) deletes at most: as long as it runs, it stands in the way of others.
    pub const PRUNE_BATCH: u64 = 1_000;

    pub(super) fn new(builder: Builder<'_>) -> Self {
        macro_rules! files {
            ($dialect:literal) => {
                [
                    include_str!(concat!("../../sql/", $dialect, "/list.sql")),
                    concat!(
                        include_str!(concat!("../../sql/", $dialect, "/list.sql")),
                        include_str!(concat!("../../sql/", $dialect, "/get.sql")),
                    ),
                    include_str!(concat!("../../sql/", $dialect, "/pause.sql")),
                    include_str!(concat!("../../sql/", $dialect, "/force_release.sql")),
                    include_str!(concat!("../../sql/", $dialect, "/resume.sql")),
                    include_str!(concat!("../../sql/", $dialect, "/prune.sql")),
                ]
            };
        }
        let [list, get, pause, force_release, resume, prune] = match builder.names.dialect() {
            Dialect::Postgres => files!("postgres"),
            Dialect::MySql => files!("mysql"),
            Dialect::Sqlite => files!("sqlite"),
        };
        let build = |text: &str, fencing| builder.build(text, fencing);
        let both = |text: &str| [build(text, false), build(text, true)];
        let list = match builder.names.dialect() {
            // A session may have a limit of its own, and a list must not be cut without a word.
            Dialect::MySql => format!("{list}\nLIMIT 18446744073709551615"),
            _ => list.to_owned(),
        };
        Self {
            list: both(&list),
            get: both(get),
            pause: both(pause),
            force_release: build(force_release, true),
            resume: build(resume, true),
            prune: build(prune, true),
        }
    }

    /// Gives all rows, on a table with the fencing token's column or without.
    #[must_use]
    pub fn list_on(&self, fencing: bool) -> &Statement {
        &self.list[usize::from(fencing)]
    }

    /// Gives the row of one lock, if there is one.
    #[must_use]
    pub fn get_on(&self, fencing: bool) -> &Statement {
        &self.get[usize::from(fencing)]
    }

    /// Pauses a lock.
    #[must_use]
    pub fn pause_on(&self, fencing: bool) -> &Statement {
        &self.pause[usize::from(fencing)]
    }
}
