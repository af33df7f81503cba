//! The names of the table and its columns, validated and quoted once.

mod columns;
mod history;
mod texts;

use shedlock_runtime::{ErrorKind, LockError};

use crate::dialect::Dialect;
pub use columns::ColumnNames;
use history::Contents;
pub use history::DEFAULT_HISTORY_TABLE;

/// The default name of the table, as in ShedLock.
pub const DEFAULT_TABLE: &str = "shedlock";

/// The names of one table and its columns in one dialect, validated and quoted.
///
/// # Examples
///
/// ```
/// use shedlock_sql::{ColumnNames, Dialect, Names};
///
/// let names = Names::new(Dialect::Postgres, "app.shedlock", ColumnNames::default())?;
/// assert_eq!(names.quoted_table(), r#""app"."shedlock""#);
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Names {
    dialect: Dialect,
    contents: Contents,
    parts: Vec<String>,
    /// The schema in which a table with an unqualified name was found.
    found: Option<String>,
    columns: ColumnNames,
}

impl Names {
    /// ShedLock's default names of the table and its columns.
    #[must_use]
    pub fn shedlock(dialect: Dialect) -> Self {
        Self {
            dialect,
            contents: Contents::Locks,
            parts: vec![DEFAULT_TABLE.to_owned()],
            found: None,
            columns: ColumnNames::default(),
        }
    }

    /// Validates `table`, which may be `schema.table`, and the names of the columns.
    ///
    /// Names are quoted in statements, so upper and lower case matter.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if a name is empty, too long for the server or contains a NUL character, or if two columns
    /// have the same name.
    pub fn new(dialect: Dialect, table: &str, columns: ColumnNames) -> Result<Self, LockError> {
        let parts: Vec<String> = table.split('.').map(str::to_owned).collect();
        if parts.len() > 2 {
            return Err(refuse(format!(
                "the table name `{}` has more than two parts; expected `table` or `schema.table`",
                table.escape_debug()
            )));
        }
        for part in &parts {
            check(dialect, "table", part)?;
        }
        check_schema_is_shared(dialect, &parts)?;
        let names = Self {
            dialect,
            contents: Contents::Locks,
            parts,
            found: None,
            columns,
        };
        let all = names.column_names();
        for (at, column) in all.iter().enumerate() {
            check(dialect, "column", column)?;
            if all[..at]
                .iter()
                .any(|earlier| earlier.eq_ignore_ascii_case(column))
            {
                return Err(refuse(format!(
                    "two columns are called `{}`",
                    column.escape_debug()
                )));
            }
        }
        Ok(names)
    }

    /// The dialect in which the names are quoted.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The table's name as configured, unquoted, for messages.
    #[must_use]
    pub fn table(&self) -> String {
        self.parts.join(".")
    }

    /// The schema of the table: the configured one, or else the one in which the table was found.
    #[must_use]
    pub fn schema(&self) -> Option<&str> {
        self.named_schema().or(self.found.as_deref())
    }

    /// The schema in the table's configured name, if there is one.
    #[must_use]
    pub fn named_schema(&self) -> Option<&str> {
        match &self.parts[..] {
            [schema, _table] => Some(schema),
            _ => None,
        }
    }

    /// The table's name without its schema.
    #[must_use]
    pub fn bare_table(&self) -> &str {
        self.parts.last().map_or("", String::as_str)
    }

    /// The quoted name of the table, with its schema if the schema is known. For SQLite the default schema is `main`, because an
    /// unqualified name could refer to a temporary table, which only one connection sees.
    #[must_use]
    pub fn quoted_table(&self) -> String {
        let table = self.dialect.quote(self.bare_table());
        let default = (self.dialect == Dialect::Sqlite).then_some("main");
        match self.schema().or(default) {
            Some(schema) => format!("{}.{table}", self.dialect.quote(schema)),
            None => table,
        }
    }

    /// Sets the schema in which the table was found. [`table`](Self::table) still returns the configured name.
    #[must_use]
    pub fn in_schema(&self, schema: &str) -> Self {
        Self {
            found: Some(schema.to_owned()),
            ..self.clone()
        }
    }

    /// The names of the columns.
    #[must_use]
    pub fn columns(&self) -> &ColumnNames {
        &self.columns
    }

    /// The statement that creates the table, with columns for fencing tokens and positions, unless the table exists. For the
    /// [history](Self::history), one or two statements that create its table and its index.
    #[must_use]
    pub fn ddl(&self) -> String {
        let template = match self.dialect {
            dialect if self.is_history() => Self::history_ddl(dialect),
            Dialect::Postgres => include_str!("../ddl/postgres.sql"),
            Dialect::MySql => include_str!("../ddl/mysql.sql"),
            Dialect::Sqlite => include_str!("../ddl/sqlite.sql"),
        };
        self.fill_in(template).trim_end().to_owned()
    }

    /// The statement that grants a user the privileges that locks need, or the [history](Self::history), with a placeholder for the user's
    /// name.
    #[must_use]
    pub fn grant(&self) -> String {
        self.granting(if self.is_history() {
            "SELECT, INSERT, DELETE"
        } else {
            "SELECT, INSERT, UPDATE"
        })
    }

    /// The statement that grants a user `DELETE`, which only [`AdminStatements::prune`](crate::AdminStatements::prune) needs.
    #[must_use]
    pub fn grant_delete(&self) -> String {
        self.granting("DELETE")
    }

    fn granting(&self, rights: &str) -> String {
        if self.dialect == Dialect::Sqlite {
            return "chmod and chown, so that the file and its directory can be written".to_owned();
        }
        format!("GRANT {rights} ON {} TO your_user", self.quoted_table())
    }

    /// The statement that adds a primary key (in SQLite a unique index) on the lock's name, as text for a remedy.
    #[must_use]
    pub fn add_key(&self) -> String {
        let (table, name) = (self.quoted_table(), self.dialect.quote(self.columns.name()));
        match self.dialect {
            // SQLite takes the schema with the index's name, and rejects it with the table's.
            Dialect::Sqlite => format!(
                "run: CREATE UNIQUE INDEX {}.{} ON {} ({name})",
                self.dialect.quote(self.schema().unwrap_or("main")),
                self.dialect.quote(&format!("{}_key", self.bare_table())),
                self.dialect.quote(self.bare_table()),
            ),
            _ => format!("run: ALTER TABLE {table} ADD PRIMARY KEY ({name})"),
        }
    }

    /// The remedy that changes a column to `definition`.
    pub(crate) fn alter(&self, column: &str, definition: &str) -> String {
        let (table, column) = (self.quoted_table(), self.dialect.quote(column));
        match self.dialect {
            Dialect::Postgres => {
                let kind = definition.split(" NOT NULL").next().unwrap_or(definition);
                format!("run: ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind}")
            }
            Dialect::MySql => format!("run: ALTER TABLE {table} MODIFY {column} {definition}"),
            Dialect::Sqlite => "make the table anew".to_owned(),
        }
    }

    /// The remedy that changes the columns of times to the types in [`ddl`](Self::ddl).
    #[must_use]
    pub fn alter_times(&self) -> String {
        let wanted = crate::schema::time_type(self.dialect);
        let columns = [self.columns.lock_until(), self.columns.locked_at()];
        columns.map(|column| self.alter(column, wanted)).join("; ")
    }

    /// The remedy that adds a column.
    pub(crate) fn add(&self, column: &str, definition: &str) -> String {
        let (table, column) = (self.quoted_table(), self.dialect.quote(column));
        format!("run: ALTER TABLE {table} ADD COLUMN {column} {definition}")
    }

    fn column_names(&self) -> [&str; 8] {
        let columns = &self.columns;
        [
            columns.name(),
            columns.lock_until(),
            columns.locked_at(),
            columns.locked_by(),
            columns.fencing_token(),
            columns.position(),
            columns.position_done(),
            columns.position_tries(),
        ]
    }
}

fn check(dialect: Dialect, what: &str, name: &str) -> Result<(), LockError> {
    let max = dialect.max_identifier_bytes();
    if name.is_empty() {
        return Err(refuse(format!("the name of a {what} cannot be empty")));
    }
    if name.contains('\0') {
        return Err(refuse(format!("the name of a {what} cannot contain NUL")));
    }
    if name.len() > max {
        return Err(refuse(format!(
            "the name of a {what} can have at most {max} bytes in {dialect}; `{}` has {}",
            name.escape_debug(),
            name.len()
        )));
    }
    Ok(())
}

/// Rejects a schema whose tables only one connection sees.
fn check_schema_is_shared(dialect: Dialect, parts: &[String]) -> Result<(), LockError> {
    let [schema, _table] = parts else {
        return Ok(());
    };
    let schema_is_private = match dialect {
        Dialect::Sqlite => schema.eq_ignore_ascii_case("temp"),
        Dialect::Postgres => schema.starts_with("pg_temp"),
        Dialect::MySql => false,
    };
    if schema_is_private {
        return Err(refuse(format!(
            "a table in the schema `{}` is seen by one connection only, so a lock in it excludes nobody",
            schema.escape_debug()
        ))
        .with_remedy("name a table that all nodes see"));
    }
    Ok(())
}

fn refuse(problem: String) -> LockError {
    LockError::new(ErrorKind::Configuration, problem)
}

#[cfg(test)]
mod tests;
