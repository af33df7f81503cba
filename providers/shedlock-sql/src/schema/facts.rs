//! What a server says of a table, as facts with types.

pub(super) mod rows;

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

/// Whether a session may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Access {
    #[default]
    Write,
    /// It is set not to.
    ReadOnly,
    /// Its server follows another one.
    Standby,
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
    pub(super) access: Access,
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
