//! The server's description of a table, as typed facts.

pub(super) mod rows;

/// The kind of relation that the table's name refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TableKind {
    Table,
    View,
    /// A view of one table whose facts were taken from that table.
    PlainView,
    MaterializedView,
    ForeignTable,
    VirtualTable,
    /// Another kind, by the server's name for it.
    Other(String),
}

/// How durable and visible the table's rows are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Storage {
    /// The rows are durable.
    Kept,
    /// A crash of the server empties the table.
    Unlogged,
    /// The table is visible to this session only.
    Temporary,
    /// The database is not in a file.
    NoFile,
    /// The durability depends on this engine.
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
    /// An insert may set the column, or leave it NULL or at its default.
    AtWill,
    /// Each insert must set the column, as there is no default.
    Always,
    /// The column is incremented automatically.
    Counts,
    /// The column is computed from an expression, and cannot be written.
    Generated,
}

#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    /// The type by the server's name; for a domain, the base type.
    pub(super) kind: String,
    /// MySQL's collation; PostgreSQL's only if it treats different texts as equal.
    pub(super) collation: String,
    pub(super) filled: Filled,
}

/// A unique key, and one of its columns.
#[derive(Debug, Clone)]
pub(super) struct KeyPart {
    pub(super) key: String,
    /// None if the key is on an expression or a prefix of a column.
    pub(super) column: Option<String>,
    /// The key's collation, if it treats different texts as equal.
    pub(super) collation: Option<String>,
    pub(super) is_deferrable: bool,
    /// The constraint that the key implements, if there is one.
    pub(super) constraint: Option<String>,
    pub(super) is_primary: bool,
}

#[derive(Debug, Clone)]
pub(super) struct ForeignKey {
    /// None for a foreign key without a name.
    pub(super) name: Option<String>,
    pub(super) column: String,
    pub(super) refers_to: String,
}

/// A check constraint.
#[derive(Debug, Clone)]
pub(super) struct Check {
    pub(super) name: String,
    /// The column that the server reports for the constraint, if it does.
    pub(super) column: Option<String>,
    pub(super) definition: Option<String>,
}

/// The command to which a row-level security policy applies.
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
    /// Whether the policy is permissive; otherwise it is restrictive, and excludes rows that other policies allow.
    pub(super) is_permissive: bool,
    pub(super) reads_all: bool,
    pub(super) writes_all: bool,
}

/// Whether a session may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Access {
    #[default]
    Write,
    /// The session is set to read-only.
    ReadOnly,
    /// The session's server is a standby.
    Standby,
}

/// The settings of this session and its server.
#[derive(Debug, Clone, Default)]
pub(super) struct Session {
    pub(super) user: String,
    pub(super) database: String,
    pub(super) zone: String,
    /// The time zone of sessions that do not set one.
    pub(super) zone_of_others: String,
    pub(super) has_autocommit_off: bool,
    pub(super) access: Access,
    pub(super) has_foreign_keys_off: bool,
    /// The server's setting for the durability of commits.
    pub(super) commits: String,
    /// SQLite's journal mode.
    pub(super) journal: String,
}

/// All facts about a table and the session.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) table: Option<Table>,
    /// The definition of an updatable view, if the server reports it.
    pub(super) view: Option<String>,
    pub(super) columns: Vec<Column>,
    pub(super) keys: Vec<KeyPart>,
    /// A key column that is SQLite's row id, which cannot store text.
    pub(super) row_number: Option<String>,
    /// The triggers' names, and when they run if the server reports it.
    pub(super) triggers: Vec<(String, Option<String>)>,
    pub(super) rules: Vec<String>,
    pub(super) foreign_keys: Vec<ForeignKey>,
    pub(super) checks: Vec<Check>,
    pub(super) policies: Vec<Policy>,
    /// Other schemas that have a table of this name.
    pub(super) elsewhere: Vec<String>,
    /// Whether a query has shown that the name's column treats different names as equal.
    pub(super) is_mixing: bool,
    pub(super) session: Session,
}
