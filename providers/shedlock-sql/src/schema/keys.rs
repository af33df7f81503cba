//! Checks that the name is a unique key, and that different names are different keys.

use super::facts::{KeyPart, TableKind};
use super::types::Kind;
use super::{Description, Findings};
use crate::dialect::Dialect;
use crate::names::Names;

impl Description {
    pub(super) fn check_keys(&self, names: &Names, findings: &mut Findings) {
        if self.is(&TableKind::View) {
            // The server has planned the statement, which proves that there is a key.
            return;
        }
        let keys = self.keys_of_the_name(names);
        let table = names.quoted_table();
        for key in keys.iter().filter(|key| key.is_deferrable) {
            let constraint = key.constraint.as_deref().unwrap_or(&key.key);
            let quoted = names.dialect().quote(constraint);
            let again = if keys.iter().any(|key| !key.is_deferrable) {
                String::new()
            } else {
                let kind = if key.is_primary {
                    "PRIMARY KEY"
                } else {
                    "UNIQUE"
                };
                let name = names.dialect().quote(names.columns().name());
                format!(", ADD CONSTRAINT {quoted} {kind} ({name})")
            };
            findings.problem(format!(
                "the key `{constraint}` is deferrable, which ON CONFLICT cannot use: run: ALTER TABLE {table} DROP CONSTRAINT \
                 {quoted}{again}"
            ));
        }
        if keys.is_empty() {
            self.check_no_key(names, findings);
        }
        self.check_mixing(names, &keys, findings);
    }

    fn check_no_key(&self, names: &Names, findings: &mut Findings) {
        let name = names.columns().name();
        let is_partitioned = self
            .facts
            .table
            .as_ref()
            .is_some_and(|table| table.is_partitioned);
        let remedy = if is_partitioned {
            "a partitioned table can have that key only if it is partitioned by this column alone, and a table of locks need not \
             be partitioned"
                .to_owned()
        } else {
            self.mended(names, names.add_key())
        };
        findings.problem(format!(
            "the column `{name}` is not the primary key, so two nodes could hold one lock: {remedy}"
        ));
    }

    /// Warns of collations of the key or the column that treat different names as one lock. For MySQL, the check of the column does that.
    fn check_mixing(&self, names: &Names, keys: &[&KeyPart], findings: &mut Findings) {
        let name = names.columns().name();
        let mixing = keys
            .iter()
            .find_map(|key| key.collation.as_deref().map(|collation| (*key, collation)));
        match (names.dialect(), mixing) {
            (Dialect::Postgres, Some((key, collation)))
                if self
                    .column(name)
                    .is_some_and(|column| column.collation.is_empty()) =>
            {
                let schema = self.facts.table.as_ref().map(|table| table.schema.as_str());
                let index = names.dialect().quote(&key.key);
                let index = match schema {
                    Some(schema) => format!("{}.{index}", names.dialect().quote(schema)),
                    None => index,
                };
                findings.warning(format!(
                    "the key `{}` has the collation `{collation}`, and names that are equal to it are one lock: {}; then run: \
                     DROP INDEX {index}",
                    key.key,
                    names.add_unique()
                ));
            }
            (Dialect::Sqlite, mixing) if mixing.is_some() || self.facts.is_mixing => {
                let collation = mixing.map_or_else(String::new, |(_, name)| format!(" `{name}`"));
                findings.warning(format!(
                    "the column `{name}` or its key has a collation{collation} that takes names for one another, and those are \
                     one lock: {}, with {}",
                    names.alter(name, ""),
                    Kind::Name.wanted(Dialect::Sqlite)
                ));
            }
            _ => {}
        }
    }

    /// The unique keys whose only column is the name.
    fn keys_of_the_name(&self, names: &Names) -> Vec<&KeyPart> {
        let name = names.columns().name();
        let parts = &self.facts.keys;
        let is_alone = |part: &&KeyPart| {
            parts.iter().filter(|other| other.key == part.key).count() == 1
                && part
                    .column
                    .as_deref()
                    .is_some_and(|column| column.eq_ignore_ascii_case(name))
        };
        parts.iter().filter(is_alone).collect()
    }
}
