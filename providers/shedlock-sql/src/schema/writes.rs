//! Checks what may prevent a write or run with it: foreign keys, check constraints, triggers and rules.

use super::facts::ForeignKey;
use super::types::Kind;
use super::{Description, Findings, kind_of};
use crate::dialect::Dialect;
use crate::names::Names;

impl Description {
    pub(super) fn check_writes(&self, names: &Names, findings: &mut Findings) {
        for key in &self.facts.foreign_keys {
            if let Some(kind) = kind_of(names, &key.column) {
                self.check_foreign_key(names, key, kind, findings);
            }
        }
        self.check_conditions(names, findings);
        for rule in &self.facts.rules {
            findings.problem(format!(
                "the table has the rule `{rule}`, with which ON CONFLICT cannot be used: run: DROP RULE {} ON {}",
                names.dialect().quote(rule),
                names.quoted_table()
            ));
        }
        self.check_triggers(names, findings);
    }

    fn check_foreign_key(
        &self,
        names: &Names,
        key: &ForeignKey,
        kind: Kind,
        findings: &mut Findings,
    ) {
        let dialect = names.dialect();
        let (column, other) = (&key.column, &key.refers_to);
        let table = names.quoted_table();
        let drop = key.name.as_deref().map(|name| dialect.quote(name));
        let drop = match (drop, dialect) {
            (Some(name), Dialect::MySql) => {
                format!("run: ALTER TABLE {table} DROP FOREIGN KEY {name}")
            }
            (Some(name), _) => format!("run: ALTER TABLE {table} DROP CONSTRAINT {name}"),
            (None, _) => "make the table anew without it".to_owned(),
        };
        let drop = self.mended(names, drop);
        let told = format!("the column `{column}` refers to `{other}`");
        if self.facts.session.has_foreign_keys_off {
            findings.warning(format!(
                "{told}, and sessions that enforce foreign keys, as this one does not, can take no lock that is not in there: {drop}"
            ));
        } else if kind == Kind::Name {
            findings.problem(format!(
                "{told}, so a lock whose name is not in there cannot be taken: {drop}"
            ));
        } else {
            findings.problem(format!(
                "{told}, where no lock writes its values first: {drop}"
            ));
        }
    }

    fn check_conditions(&self, names: &Names, findings: &mut Findings) {
        for check in &self.facts.checks {
            let on = match &check.column {
                Some(column) if kind_of(names, column).is_none() => continue,
                Some(column) => format!(" on the column `{column}`"),
                None => String::new(),
            };
            let definition = check.definition.as_ref();
            let definition = definition.map_or_else(String::new, |text| format!(", {text}"));
            findings.warning(format!(
                "there is the constraint `{}`{on}{definition}: a lock whose values it refuses cannot be taken, so see that it lets \
                 every name, owner and time through, or drop it",
                check.name
            ));
        }
    }

    fn check_triggers(&self, names: &Names, findings: &mut Findings) {
        let dialect = names.dialect();
        for (trigger, timing) in &self.facts.triggers {
            let quoted = dialect.quote(trigger);
            let drop = match dialect {
                Dialect::Postgres => format!("DROP TRIGGER {quoted} ON {}", names.quoted_table()),
                _ => match names.schema() {
                    Some(schema) => format!("DROP TRIGGER {}.{quoted}", dialect.quote(schema)),
                    None => format!("DROP TRIGGER {quoted}"),
                },
            };
            let may = if timing.as_deref() == Some("BEFORE") {
                "it can change what a lock writes, and "
            } else {
                ""
            };
            let costs = if dialect == Dialect::MySql {
                ", and attempts cost a second round trip"
            } else {
                ""
            };
            findings.warning(format!(
                "the table has the trigger `{trigger}`: {may}where it fails, so does the lock{costs}; unless it is needed, run: {drop}"
            ));
        }
    }
}
