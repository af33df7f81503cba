//! What a server says of a table: from rows of texts to facts with types.

use super::Inspection;

/// What kind of thing the table's name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TableKind {
    Table,
    View,
    /// One whose table has been looked at through it.
    PlainView,
    MaterializedView,
    ForeignTable,
    VirtualTable,
    /// As the server calls it.
    Other(String),
}

/// What becomes of what is written in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Storage {
    /// It is kept.
    Kept,
    /// A crash of the server empties it.
    Unlogged,
    /// It is this session's own.
    Temporary,
    /// The database is in no file.
    NoFile,
    /// That depends on this engine.
    Engine(String),
}

#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) schema: String,
    pub(super) kind: TableKind,
    pub(super) is_partitioned: bool,
    pub(super) storage: Storage,
    /// Whether policies decide which rows this user sees and writes.
    pub(super) is_guarded: bool,
}

/// How a column gets its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// By an insert, or it stays empty or has its default.
    AtWill,
    /// By each insert: there is no default.
    Always,
    /// It counts up by itself.
    Counts,
    /// From an expression; nothing can be written to it.
    Generated,
}

#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    /// As the server says it; a domain's base type.
    pub(super) kind: String,
    /// MySQL's. PostgreSQL's, if it takes different texts for one another.
    pub(super) collation: String,
    pub(super) filled: Filled,
}

/// A unique key, and one of its columns.
#[derive(Debug, Clone)]
pub(super) struct KeyPart {
    pub(super) key: String,
    /// Nothing for an expression, or the beginning of a column.
    pub(super) column: Option<String>,
    /// If it takes different texts for one another.
    pub(super) collation: Option<String>,
    pub(super) is_deferrable: bool,
    /// The constraint that the key serves, if it does.
    pub(super) constraint: Option<String>,
    pub(super) is_primary: bool,
}

#[derive(Debug, Clone)]
pub(super) struct ForeignKey {
    /// Nothing where it has no name.
    pub(super) name: Option<String>,
    pub(super) column: String,
    pub(super) refers_to: String,
}

/// A condition on what is written.
#[derive(Debug, Clone)]
pub(super) struct Check {
    pub(super) name: String,
    /// Nothing where the server does not say.
    pub(super) column: Option<String>,
    pub(super) definition: Option<String>,
}

/// What a policy of row-level security is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Select,
    Insert,
    Update,
    Delete,
    All,
}

#[derive(Debug, Clone)]
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) command: Command,
    /// Whether it lets rows through by itself; otherwise it holds rows back that others let through.
    pub(super) is_permissive: bool,
    pub(super) reads_all: bool,
    pub(super) writes_all: bool,
}

/// What this session is set to, and its server.
#[derive(Debug, Clone, Default)]
pub(super) struct Session {
    pub(super) user: String,
    pub(super) database: String,
    pub(super) zone: String,
    /// Of sessions that do not set it.
    pub(super) zone_of_others: String,
    pub(super) has_autocommit_off: bool,
    pub(super) is_read_only: bool,
    pub(super) is_standby: bool,
    pub(super) has_foreign_keys_off: bool,
    /// How commits are kept, in the server's own words.
    pub(super) commits: String,
    /// SQLite's journal.
    pub(super) journal: String,
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) table: Option<Table>,
    /// The definition of a view through which rows can be written, where the server says it.
    pub(super) view: Option<String>,
    pub(super) columns: Vec<Column>,
    pub(super) keys: Vec<KeyPart>,
    /// A key that is SQLite's number of the row, which is no text.
    pub(super) row_number: Option<String>,
    /// Name, and when they run, if the server says.
    pub(super) triggers: Vec<(String, Option<String>)>,
    pub(super) rules: Vec<String>,
    pub(super) foreign_keys: Vec<ForeignKey>,
    pub(super) checks: Vec<Check>,
    pub(super) policies: Vec<Policy>,
    /// Other schemas that have a table of this name.
    pub(super) elsewhere: Vec<String>,
    /// Whether the name's column was seen to take names for one another.
    pub(super) is_mixing: bool,
    pub(super) session: Session,
}

impl Facts {
    /// What the name stands for is this session's own, whatever the catalogue says.
    pub(super) fn is_temporary(&mut self) {
        self.table = Some(table(String::new(), "table", "temporary", ""));
    }

    /// Takes one row in. A kind of row that is not known says nothing.
    pub(super) fn take(&mut self, row: &[String; Inspection::FACT]) {
        let [fact, name, a, b, c, d, e] = row;
        let name = name.clone();
        match fact.as_str() {
            "table" => {
                self.table = Some(Table {
                    is_guarded: is(c),
                    is_partitioned: is(d),
                    ..table(name, a, b, e)
                });
            }
            "view" => self.view = some(a),
            "column" => self.columns.push(Column {
                name,
                kind: a.clone(),
                collation: b.clone(),
                filled: match d.as_str() {
                    "generated" => Filled::Generated,
                    "counts" => Filled::Counts,
                    _ if is(c) => Filled::Always,
                    _ => Filled::AtWill,
                },
            }),
            "key" => self.keys.push(KeyPart {
                key: name,
                column: some(a),
                collation: some(b),
                is_deferrable: is(c),
                constraint: some(d),
                is_primary: is(e),
            }),
            "row number" => self.row_number = Some(name),
            "trigger" => {
                let trigger = (name, some(a));
                // One for each event.
                if !self.triggers.contains(&trigger) {
                    self.triggers.push(trigger);
                }
            }
            "rule" => self.rules.push(name),
            "foreign key" => self.foreign_keys.push(ForeignKey {
                name: some(&name),
                column: a.clone(),
                refers_to: b.clone(),
            }),
            "check" => self.checks.push(Check {
                name,
                column: some(a),
                definition: some(b),
            }),
            "policy" => self.policies.push(Policy {
                name,
                command: match a.as_str() {
                    "r" => Command::Select,
                    "a" => Command::Insert,
                    "w" => Command::Update,
                    "d" => Command::Delete,
                    _ => Command::All,
                },
                is_permissive: is(b),
                reads_all: is(c),
                writes_all: is(d),
            }),
            "elsewhere" => self.elsewhere.push(name),
            "mixing" => self.is_mixing = true,
            "session" => self.session.take(&name, a),
            _ => {}
        }
    }
}

impl Session {
    fn take(&mut self, name: &str, value: &str) {
        let value_is = is(value);
        match name {
            "user" => value.clone_into(&mut self.user),
            "database" => value.clone_into(&mut self.database),
            "zone" => value.clone_into(&mut self.zone),
            "zone of others" => value.clone_into(&mut self.zone_of_others),
            "autocommit" => self.has_autocommit_off = !value_is,
            "read-only" => self.is_read_only = value_is,
            "standby" => self.is_standby = value_is,
            "foreign keys" => self.has_foreign_keys_off = !value_is,
            "commits" => self.commits = value.to_lowercase(),
            "journal" => self.journal = value.to_lowercase(),
            _ => {}
        }
    }
}

/// The kind and the storage of a table, in the words of our own questions.
fn table(schema: String, kind: &str, storage: &str, engine: &str) -> Table {
    Table {
        schema,
        kind: match kind {
            "table" => TableKind::Table,
            "view" => TableKind::View,
            "materialized view" => TableKind::MaterializedView,
            "foreign table" => TableKind::ForeignTable,
            "virtual table" => TableKind::VirtualTable,
            other => TableKind::Other(other.to_owned()),
        },
        storage: match storage {
            "unlogged" => Storage::Unlogged,
            "temporary" => Storage::Temporary,
            "no file" => Storage::NoFile,
            _ if engine.is_empty() => Storage::Kept,
            _ => Storage::Engine(engine.to_owned()),
        },
        is_guarded: false,
        is_partitioned: false,
    }
}

/// Whether a flag is set, as one of the servers writes it.
fn is(flag: &str) -> bool {
    ["true", "on", "1", "yes"]
        .iter()
        .any(|set| set.eq_ignore_ascii_case(flag))
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
