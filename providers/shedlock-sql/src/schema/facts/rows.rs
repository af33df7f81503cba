//! Parses the server's rows of texts into typed facts.

use super::{
    Access, Check, Column, Command, Facts, Filled, ForeignKey, KeyPart, Policy, Session, Storage,
    Table, TableKind,
};
use crate::schema::Inspection;

impl Facts {
    /// Marks the table as temporary, whatever the catalogue reports.
    pub(in crate::schema) fn make_temporary(&mut self) {
        self.table = Some(Table::temporary());
    }

    /// Adds one row. A row of an unknown kind is ignored.
    pub(in crate::schema) fn take(&mut self, row: &[String; Inspection::FACT]) {
        let [fact, name, more @ ..] = row;
        let name = name.clone();
        let Some(fact) = FactKind::parse(fact) else {
            return;
        };
        match fact {
            FactKind::Table => self.table = Some(Table::from_row(name, more)),
            FactKind::View => self.view = some(&more[0]),
            FactKind::Column => self.columns.push(Column::from_row(name, more)),
            FactKind::Key => self.keys.push(KeyPart::from_row(name, more)),
            FactKind::RowNumber => self.row_number = Some(name),
            FactKind::Trigger => {
                let trigger = (name, some(&more[0]));
                // The catalogue has one row for each event of a trigger.
                if !self.triggers.contains(&trigger) {
                    self.triggers.push(trigger);
                }
            }
            FactKind::Rule => self.rules.push(name),
            FactKind::ForeignKey => self.foreign_keys.push(ForeignKey {
                name: some(&name),
                column: more[0].clone(),
                refers_to: more[1].clone(),
            }),
            FactKind::Check => self.checks.push(Check {
                name,
                column: some(&more[0]),
                definition: some(&more[1]),
            }),
            FactKind::Policy => self.policies.push(Policy::from_row(name, more)),
            FactKind::Elsewhere => self.elsewhere.push(name),
            FactKind::Mixing => self.is_mixing = true,
            FactKind::Session => self.session.take(&name, &more[0]),
        }
    }
}

/// The kinds of rows, by their names in the files `catalogue.sql` and `mixing.sql`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::schema) enum FactKind {
    Table,
    View,
    Column,
    Key,
    RowNumber,
    Trigger,
    Rule,
    ForeignKey,
    Check,
    Policy,
    Elsewhere,
    Mixing,
    Session,
}

impl FactKind {
    pub(in crate::schema) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "table" => Self::Table,
            "view" => Self::View,
            "column" => Self::Column,
            "key" => Self::Key,
            "row number" => Self::RowNumber,
            "trigger" => Self::Trigger,
            "rule" => Self::Rule,
            "foreign key" => Self::ForeignKey,
            "check" => Self::Check,
            "policy" => Self::Policy,
            "elsewhere" => Self::Elsewhere,
            "mixing" => Self::Mixing,
            "session" => Self::Session,
            _ => return None,
        })
    }
}

/// The settings of a session, by their names in the files `catalogue.sql`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::schema) enum Setting {
    User,
    Database,
    Zone,
    ZoneOfOthers,
    Autocommit,
    Standby,
    ReadOnly,
    ForeignKeys,
    Commits,
    Journal,
}

impl Setting {
    pub(in crate::schema) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "user" => Self::User,
            "database" => Self::Database,
            "zone" => Self::Zone,
            "zone of others" => Self::ZoneOfOthers,
            "autocommit" => Self::Autocommit,
            "standby" => Self::Standby,
            "read-only" => Self::ReadOnly,
            "foreign keys" => Self::ForeignKeys,
            "commits" => Self::Commits,
            "journal" => Self::Journal,
            _ => return None,
        })
    }
}

/// The columns of a row after its kind and name.
type More = [String; Inspection::FACT - 2];

impl Table {
    fn from_row(schema: String, [kind, storage, guarded, partitioned, engine]: &More) -> Self {
        Self {
            schema,
            kind: match kind.as_str() {
                "table" => TableKind::Table,
                "view" => TableKind::View,
                "materialized view" => TableKind::MaterializedView,
                "foreign table" => TableKind::ForeignTable,
                "virtual table" => TableKind::VirtualTable,
                other => TableKind::Other(other.to_owned()),
            },
            storage: match storage.as_str() {
                "unlogged" => Storage::Unlogged,
                "temporary" => Storage::Temporary,
                "no file" => Storage::NoFile,
                _ if engine.is_empty() => Storage::Kept,
                _ => Storage::Engine(engine.clone()),
            },
            is_guarded: is(guarded),
            is_partitioned: is(partitioned),
        }
    }

    /// A temporary table about which nothing else is known.
    fn temporary() -> Self {
        Self {
            schema: String::new(),
            kind: TableKind::Table,
            storage: Storage::Temporary,
            is_guarded: false,
            is_partitioned: false,
        }
    }
}

impl Column {
    fn from_row(name: String, [kind, collation, must_be_filled, source, _]: &More) -> Self {
        Self {
            name,
            kind: kind.clone(),
            collation: collation.clone(),
            filled: match source.as_str() {
                "generated" => Filled::Generated,
                "counts" => Filled::Counts,
                _ if is(must_be_filled) => Filled::Always,
                _ => Filled::AtWill,
            },
        }
    }
}

impl KeyPart {
    fn from_row(key: String, [column, collation, deferrable, constraint, primary]: &More) -> Self {
        Self {
            key,
            column: some(column),
            collation: some(collation),
            is_deferrable: is(deferrable),
            constraint: some(constraint),
            is_primary: is(primary),
        }
    }
}

impl Policy {
    fn from_row(name: String, [command, permissive, reads_all, writes_all, _]: &More) -> Self {
        Self {
            name,
            command: match command.as_str() {
                "r" => Command::Select,
                "a" => Command::Insert,
                "w" => Command::Update,
                "d" => Command::Delete,
                _ => Command::All,
            },
            is_permissive: is(permissive),
            reads_all: is(reads_all),
            writes_all: is(writes_all),
        }
    }
}

impl Session {
    fn take(&mut self, name: &str, value: &str) {
        let value_is = is(value);
        let Some(setting) = Setting::parse(name) else {
            return;
        };
        match setting {
            Setting::User => value.clone_into(&mut self.user),
            Setting::Database => value.clone_into(&mut self.database),
            Setting::Zone => value.clone_into(&mut self.zone),
            Setting::ZoneOfOthers => value.clone_into(&mut self.zone_of_others),
            Setting::Autocommit => self.has_autocommit_off = !value_is,
            // A standby is read-only too.
            Setting::Standby if value_is => self.access = Access::Standby,
            Setting::ReadOnly if value_is && self.access == Access::Write => {
                self.access = Access::ReadOnly;
            }
            Setting::ForeignKeys => self.has_foreign_keys_off = !value_is,
            Setting::Commits => self.commits = value.to_lowercase(),
            Setting::Journal => self.journal = value.to_lowercase(),
            Setting::Standby | Setting::ReadOnly => {}
        }
    }
}

/// Whether a flag is set, in any of the servers' spellings.
fn is(flag: &str) -> bool {
    ["true", "on", "1", "yes"]
        .iter()
        .any(|set| set.eq_ignore_ascii_case(flag))
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
