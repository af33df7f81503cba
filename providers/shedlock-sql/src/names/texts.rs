//! The table's name as a value, for questions about it.

use super::Names;
use crate::dialect::Dialect;

impl Names {
    /// What a template has in braces where it asks for the table as a value: literals, so that a question is one message and
    /// nothing has to be bound.
    pub(super) fn texts(&self) -> [(&'static str, String); 5] {
        let literal = |text: &str| self.dialect.literal(text);
        let schema_text = match (self.schema(), self.dialect) {
            (Some(schema), _) => literal(schema),
            (None, Dialect::MySql) => "DATABASE()".to_owned(),
            (None, _) => "NULL".to_owned(),
        };
        [
            ("table_text", literal(&self.quoted_table())),
            ("bare_text", literal(self.bare_table())),
            ("schema_text", schema_text),
            (
                "named_schema_text",
                self.named_schema().map_or("NULL".to_owned(), literal),
            ),
            // Only SQLite has a catalogue in each schema.
            (
                "schema",
                self.dialect.quote(self.schema().unwrap_or("main")),
            ),
        ]
    }

    /// The same columns in another table.
    pub(crate) fn of_table(&self, schema: String, table: String) -> Self {
        Self {
            parts: vec![schema, table],
            ..self.clone()
        }
    }

    /// What gives a column a default, in PostgreSQL.
    pub(crate) fn add_default(&self, column: &str, value: &str) -> String {
        let (table, column) = (self.quoted_table(), self.dialect.quote(column));
        format!("run: ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {value}")
    }

    /// What gives the name a unique key, in PostgreSQL, whether or not there is a primary key.
    pub(crate) fn add_unique(&self) -> String {
        let (table, name) = (self.quoted_table(), self.dialect.quote(self.columns.name()));
        format!("run: ALTER TABLE {table} ADD UNIQUE ({name})")
    }

    /// The statement that says in which schema of the session's search path PostgreSQL finds an unqualified table: one row, with
    /// NULL where there is only a temporary table, or none where there is nothing of that name.
    #[must_use]
    pub fn find_schema(&self) -> String {
        let mut text = "SELECT (\
             SELECT CAST(n.nspname AS text) \
             FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
             WHERE n.nspname = ANY(current_schemas(false)) AND c.relkind NOT IN ('i', 'I', 't', 'c') AND c.relname = "
            .to_owned();
        text.push_str(&self.dialect.literal(self.bare_table()));
        // `current_schemas(false)` has no schema of temporary tables.
        text.push_str(
            " ORDER BY array_position(current_schemas(false), n.nspname) LIMIT 1) AS schema \
             WHERE to_regclass(",
        );
        text.push_str(&self.dialect.literal(&self.quoted_table()));
        text.push_str(") IS NOT NULL");
        text
    }
}
