//! The names in texts: as identifiers, and as values in questions about the table.

use super::Names;
use crate::dialect::Dialect;
use crate::statements::template::{one_line, without_comments};

impl Names {
    /// Puts names and literals where the template has their places.
    pub(crate) fn fill_in(&self, template: &str) -> String {
        let mut filled = String::with_capacity(template.len() * 2);
        let mut rest = template;
        // In one pass: a name that itself looks like a place stays a name.
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let (place, after) = after.split_once('}').unwrap_or((after, ""));
            filled.push_str(&self.place(place));
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    /// What stands in a template as `{name}` or `{'name}`. An unknown place stays as it is.
    pub(crate) fn place(&self, place: &str) -> String {
        let found = match place.strip_prefix('\'') {
            Some(place) => self.literal(place),
            None => self.identifier(place),
        };
        found.unwrap_or_else(|| format!("{{{place}}}"))
    }

    fn identifier(&self, place: &str) -> Option<String> {
        let columns = self.columns();
        let name = match place {
            "table" => return Some(self.quoted_table()),
            // Only SQLite has a catalogue in each schema.
            "schema" => self.schema().unwrap_or("main"),
            "name" => columns.name(),
            "lock_until" => columns.lock_until(),
            "locked_at" => columns.locked_at(),
            "locked_by" => columns.locked_by(),
            "fencing_token" => columns.fencing_token(),
            _ => return None,
        };
        Some(self.dialect.quote(name))
    }

    /// A name as a value: a literal, so that a question is one message and nothing has to be bound.
    fn literal(&self, place: &str) -> Option<String> {
        let literal = |text: &str| self.dialect.literal(text);
        Some(match (place, self.dialect) {
            ("table", _) => literal(&self.quoted_table()),
            ("bare_table", _) => literal(self.bare_table()),
            ("schema", Dialect::MySql) => self
                .schema()
                .map_or_else(|| "DATABASE()".to_owned(), literal),
            ("schema", _) => self.schema().map_or_else(|| "NULL".to_owned(), literal),
            ("named_schema", _) => self
                .named_schema()
                .map_or_else(|| "NULL".to_owned(), literal),
            _ => return None,
        })
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
        let file = include_str!("../../sql/postgres/find_schema.sql");
        self.fill_in(&one_line(&without_comments(file)))
    }
}
