//! Checks that each column exists, and that its type can store what locks write.

use super::facts::{Column, Filled, TableKind};
use super::types::{self, Kind, Verdict};
use super::{Description, Findings, kind_of, kinds};
use crate::dialect::Dialect;
use crate::names::Names;

impl Description {
    pub(super) fn check_columns(&self, names: &Names, findings: &mut Findings) {
        for (name, kind) in kinds(names) {
            if let Some(column) = self.column(name) {
                self.check_column(names, kind, name, column, findings);
                continue;
            }
            let add = names.add(name, kind.wanted(names.dialect()));
            let lacks = format!("there is no column `{name}`: {}", self.mended(names, add));
            if kind == Kind::Token {
                findings.warning(format!("{lacks}; without it, locks have no fencing token"));
            } else {
                findings.problem(lacks);
            }
        }
    }

    fn check_column(
        &self,
        names: &Names,
        kind: Kind,
        name: &str,
        column: &Column,
        findings: &mut Findings,
    ) {
        let dialect = names.dialect();
        let wanted = kind.wanted(dialect);
        let found = &column.kind;
        let change = || {
            let statement = names.alter(name, wanted) + &kind.using(dialect, name, found);
            self.mended(names, statement)
        };
        let differs = || {
            format!(
                "the column `{name}` is {found}; expected {wanted}: {}",
                change()
            )
        };
        match kind.judge(dialect, &found.to_lowercase()) {
            Verdict::Fits => {}
            Verdict::Limits(why) => findings.warning(format!("{}; {why}", differs())),
            Verdict::Breaks(why) => findings.problem(format!("{}; {why}", differs())),
        }
        match column.filled {
            Filled::Always if kind == Kind::Token => findings.problem(format!(
                "the column `{name}` has no default, so nodes that do not know it cannot insert: {}",
                match dialect {
                    Dialect::Postgres => self.mended(names, names.add_default(name, "0")),
                    _ => change(),
                }
            )),
            Filled::Generated | Filled::Counts => findings.problem(format!(
                "the values of the column `{name}` are generated, so locks cannot write theirs: make it an ordinary column, {wanted}"
            )),
            Filled::Always | Filled::AtWill => {}
        }
        if self.facts.row_number.as_deref() == Some(column.name.as_str()) && kind == Kind::Name {
            findings.problem(format!(
                "the column `{name}` is the number of the row, which is no text: {}",
                change()
            ));
        }
        if kind == Kind::Name && dialect == Dialect::MySql && types::mixes_names(&column.collation)
        {
            findings.warning(format!(
                "the column `{name}` has the collation `{}`, which takes names for one another that differ in case, \
                 accents or trailing blanks: {}",
                column.collation,
                change()
            ));
        }
        if kind == Kind::Name && dialect == Dialect::Postgres && !column.collation.is_empty() {
            findings.warning(format!(
                "the column `{name}` has the collation `{}`, and names that are equal to it are one lock: {} COLLATE \"C\"",
                column.collation,
                change()
            ));
        }
    }

    /// Checks the columns that locks do not use.
    pub(super) fn check_others(&self, names: &Names, findings: &mut Findings) {
        for column in &self.facts.columns {
            let name = &column.name;
            if kind_of(names, name).is_some() {
                continue;
            }
            match column.filled {
                Filled::Always => findings.problem(format!(
                    "the column `{name}` has no default, so no lock can be inserted: give it one"
                )),
                Filled::Counts => findings.problem(format!(
                    "the column `{name}` counts up by itself, which hides the answer to an acquisition: drop it"
                )),
                Filled::Generated | Filled::AtWill => {}
            }
        }
    }

    /// The remedy: `statement`, or advice if the statement would have to change the table behind a view.
    pub(super) fn mended(&self, names: &Names, statement: String) -> String {
        if self.is(&TableKind::View) || self.is(&TableKind::PlainView) {
            format!("change the table behind the view `{}`", names.table())
        } else {
            statement
        }
    }
}
