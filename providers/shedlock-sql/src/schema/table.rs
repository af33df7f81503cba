//! Checks the kind of the table, and whether its rows are durable.

use super::facts::{Storage, Table, TableKind};
use super::{Description, Findings};
use crate::dialect::Dialect;
use crate::names::Names;

/// Engines of MySQL and MariaDB whose commits are durable.
const KEEPING: [&str; 4] = ["innodb", "rocksdb", "ndbcluster", "tokudb"];
/// Engines that store nothing.
const FORGETTING: [&str; 1] = ["blackhole"];

impl Description {
    /// Checks the kind of the table. Returns whether its columns and keys can be checked.
    pub(super) fn check_table(&self, names: &Names, findings: &mut Findings) -> bool {
        let Some(table) = &self.facts.table else {
            return true;
        };
        let name = names.table();
        if let Some(why) = self.unusable(names, table) {
            findings.problem(why);
            return false;
        }
        match &table.storage {
            Storage::Kept => {}
            Storage::Temporary => {
                findings.problem(format!(
                    "`{name}` is a temporary table, which no other session sees: do not make it in the session, and call \
                     `ensure_schema()`"
                ));
                return false;
            }
            Storage::Unlogged => findings.warning(format!(
                "`{name}` is UNLOGGED, so a crash of the server empties it, and what is held then is granted again: run: \
                 ALTER TABLE {} SET LOGGED",
                names.quoted_table()
            )),
            Storage::NoFile => findings.warning(format!(
                "the database of `{name}` is in no file, so no other process sees the locks, and perhaps no other connection: \
                 name a file, as in `sqlite://shedlock.db`"
            )),
            Storage::Engine(engine) => self.check_engine(names, engine, findings),
        }
        if !self.facts.elsewhere.is_empty() {
            findings.warning(format!(
                "there is a `{name}` in `{}` too, so a session with another search path has other locks: call \
                 `table_name(\"{}.{name}\")`",
                self.facts.elsewhere.join("`, `"),
                table.schema
            ));
        }
        true
    }

    /// Why a table of this kind cannot store locks; none if it can.
    fn unusable(&self, names: &Names, table: &Table) -> Option<String> {
        let name = names.table();
        let why = match (&table.kind, names.dialect()) {
            (TableKind::Table | TableKind::PlainView, _) => return None,
            (TableKind::View, Dialect::Postgres) => {
                let refusal = self.refusal.as_ref()?;
                format!("a view through which no lock can be taken ({refusal}): name the table behind it")
            }
            (TableKind::View, Dialect::MySql) => {
                "a view, which does not show whether two nodes could hold one lock: name the table behind it".to_owned()
            }
            (TableKind::View, _) => "a view, which cannot be written: name the table behind it".to_owned(),
            (TableKind::MaterializedView, _) => {
                "a materialized view, which cannot be written: name a table".to_owned()
            }
            (TableKind::ForeignTable, _) => {
                "a foreign table, which has no unique keys here: connect to the server that keeps it".to_owned()
            }
            (TableKind::VirtualTable, _) => {
                "a virtual table, which has no unique keys: name an ordinary one".to_owned()
            }
            (TableKind::Other(kind), _) => format!("no table, but a {kind}: name a table"),
        };
        Some(format!("`{name}` is {why}"))
    }

    fn check_engine(&self, names: &Names, engine: &str, findings: &mut Findings) {
        let is_in = |engines: &[&str]| {
            engines
                .iter()
                .any(|known| known.eq_ignore_ascii_case(engine))
        };
        let change = format!("run: ALTER TABLE {} ENGINE = InnoDB", names.quoted_table());
        let change = self.mended(names, change);
        let name = names.table();
        if is_in(&FORGETTING) {
            findings.problem(format!(
                "`{name}` has the engine {engine}, which keeps nothing: {change}"
            ));
        } else if !is_in(&KEEPING) {
            findings.warning(format!(
            "`{name}` has the engine {engine}, so a crash of the server may take away what was granted: {change}"
        ));
        }
    }
}
