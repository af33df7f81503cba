//! Checks the columns for positions, which a table may lack.

use shedlock_runtime::{ErrorKind, LockError};

use super::types::{Kind, Verdict};
use super::{Description, Findings, position_kinds};
use crate::names::Names;

impl Description {
    /// Checks that the table can store positions.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`] with the statements that add or change the columns.
    pub(crate) fn check_positions(&self, names: &Names) -> Result<(), LockError> {
        let mut remedies = self.unfit_for_positions(names);
        if self.column(names.columns().fencing_token()).is_none() {
            let wanted = Kind::Token.wanted(names.dialect());
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
        let are_all_missing = position_kinds(names)
            .iter()
            .all(|(name, _kind)| self.column(name).is_none());
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
        let dialect = names.dialect();
        let remedy = |(name, kind): (&str, Kind)| {
            let wanted = kind.wanted(dialect);
            let Some(column) = self.column(name) else {
                return Some(names.add(name, wanted));
            };
            let fits = kind.judge(dialect, &column.kind.to_lowercase()) == Verdict::Fits;
            let statement = names.alter(name, wanted) + &kind.using(dialect, name, &column.kind);
            (!fits).then_some(statement)
        };
        position_kinds(names)
            .into_iter()
            .filter_map(remedy)
            .collect()
    }
}
