//! The names in SQL texts: as identifiers, and as literals in queries about the table.

use super::Names;
use crate::dialect::Dialect;
use crate::statements::template::{one_line, without_comments};

impl Names {
    /// Replaces the template's placeholders by names and literals.
    pub(crate) fn fill_in(&self, template: &str) -> String {
        let mut filled = String::with_capacity(template.len() * 2);
        let mut rest = template;
        // In one pass: a name that itself looks like a placeholder must not be replaced again.
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let (place, after) = after.split_once('}').unwrap_or((after, ""));
            filled.push_str(&self.place(place));
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    /// The text for the placeholder `{name}` or `{'name}` of a template. An unknown placeholder stays unchanged.
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
            "ended_index" => return Some(self.dialect.quote(&self.ended_index())),
            // Only SQLite has a separate catalogue in each schema.
            "schema" => self.schema().unwrap_or("main"),
            "bare_table" => self.bare_table(),
            "name" => columns.name(),
            "lock_until" => columns.lock_until(),
            "locked_at" => columns.locked_at(),
            "locked_by" => columns.locked_by(),
            "fencing_token" => columns.fencing_token(),
            "position" => columns.position(),
            "position_done" => columns.position_done(),
            "position_tries" => columns.position_tries(),
            _ => return None,
        };
        Some(self.dialect.quote(name))
    }

    /// A name as a literal, so that a query is one message without values to bind.
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

    /// Names with the same columns in another table.
    pub(crate) fn of_table(&self, schema: String, table: String) -> Self {
        Self {
            parts: vec![schema, table],
            ..self.clone()
        }
    }

    /// The remedy that gives a column a default, in PostgreSQL.
    pub(crate) fn add_default(&self, column: &str, value: &str) -> String {
        let (table, column) = (self.quoted_table(), self.dialect.quote(column));
        format!("run: ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {value}")
    }

    /// The remedy that adds a unique key on the lock's name, in PostgreSQL, also beside a primary key.
    pub(crate) fn add_unique(&self) -> String {
        let (table, name) = (self.quoted_table(), self.dialect.quote(self.columns.name()));
        format!("run: ALTER TABLE {table} ADD UNIQUE ({name})")
    }

    /// The query for the schema of the session's search path in which PostgreSQL finds an unqualified table. The result is one row with
    /// the schema, or with NULL if there is only a temporary table; there is no row if there is no table of that name.
    #[must_use]
    pub fn find_schema(&self) -> String {
        let file = include_str!("../../sql/postgres/find_schema.sql");
        self.fill_in(&one_line(&without_comments(file)))
    }
}
