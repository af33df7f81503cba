//! Checks the columns for positions, which a table may lack.

use shedlock_runtime::{ErrorKind, LockError};

use super::{Description, Findings};
use crate::dialect::Dialect;
use crate::names::Names;

/// A column for positions.
struct PositionColumn<'a> {
    name: &'a str,
    /// The type that `ensure_schema` gives to the column.
    wanted: &'static str,
    /// The beginnings of the types, in lower case, that can store the column's values.
    fitting: &'static [&'static str],
}

/// The columns for positions; a SQLite column of any type stores any value.
fn position_columns(names: &Names) -> [PositionColumn<'_>; 3] {
    let columns = names.columns();
    let number = match names.dialect() {
        Dialect::Sqlite => "INTEGER NOT NULL DEFAULT 0",
        Dialect::Postgres | Dialect::MySql => "BIGINT NOT NULL DEFAULT 0",
    };
    [
        PositionColumn {
            name: columns.position(),
            wanted: number,
            fitting: &["bigint", "numeric"],
        },
        PositionColumn {
            name: columns.position_done(),
            wanted: "BOOLEAN NOT NULL DEFAULT TRUE",
            fitting: &["bool", "tinyint", "bit(1)"],
        },
        PositionColumn {
            name: columns.position_tries(),
            wanted: "INTEGER NOT NULL DEFAULT 0",
            fitting: &["int", "bigint", "numeric"],
        },
    ]
}

impl Description {
    /// Checks that the table can store positions.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`] with the statements that add or change the columns.
    pub(crate) fn check_positions(&self, names: &Names) -> Result<(), LockError> {
        let mut remedies = self.unfit_for_positions(names);
        if self.column(names.columns().fencing_token()).is_none() {
            let wanted = super::Kind::Token.wanted(names.dialect());
            remedies.insert(0, names.add(names.columns().fencing_token(), wanted));
        }
        if remedies.is_empty() {
            return Ok(());
        }
        let problem = format!(
            "the table `{}` lacks the columns for `once_per`, `instant` and `step`",
            names.table()
        );
        Err(LockError::new(ErrorKind::Schema, problem)
            .with_remedy(self.mended(names, remedies.join("; "))))
    }

    /// Warns of columns for positions that are missing or unsuitable. A table without any of them keeps locks and no positions, which is
    /// not worth a warning.
    pub(super) fn warn_of_positions(&self, names: &Names, findings: &mut Findings) {
        let remedies = self.unfit_for_positions(names);
        let all = position_columns(names);
        let are_all_missing = all.iter().all(|column| self.column(column.name).is_none());
        if remedies.is_empty() || are_all_missing {
            return;
        }
        findings.warning(format!(
            "`once_per`, `instant` and `step` are refused, as not all of their columns are there: {}",
            self.mended(names, remedies.join("; "))
        ));
    }

    /// The remedies for the columns for positions that are missing or of an unsuitable type.
    fn unfit_for_positions(&self, names: &Names) -> Vec<String> {
        let remedy = |column: PositionColumn<'_>| {
            let PositionColumn {
                name,
                wanted,
                fitting,
            } = column;
            let Some(found) = self.column(name) else {
                return Some(names.add(name, wanted));
            };
            let kind = found.kind.to_lowercase();
            let fits = names.dialect() == Dialect::Sqlite
                || fitting.iter().any(|fitting| kind.starts_with(fitting));
            (!fits).then(|| names.alter(name, wanted))
        };
        position_columns(names)
            .into_iter()
            .filter_map(remedy)
            .collect()
    }
}
