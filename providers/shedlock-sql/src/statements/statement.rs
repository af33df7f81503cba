//! One statement, and which values to bind.

use std::sync::Arc;

use super::values::{Param, Value, Values};
use crate::dialect::Dialect;

/// One statement: its text, and the values to bind in order.
///
/// # Examples
///
/// ```
/// use shedlock_sql::{Dialect, LockClock, Names, Param, Session, Statements};
///
/// let names = Names::shedlock(Dialect::Postgres);
/// let statements = Statements::new(&names, LockClock::Database, Session::Own);
/// let extend = &statements.extend;
/// assert!(extend.text().contains("\"locked_by\" = $1"));
/// assert_eq!(extend.params()[0], Param::Owner);
/// ```
#[derive(Debug, Clone)]
pub struct Statement {
    pub(super) text: Arc<str>,
    pub(super) params: Vec<Param>,
    /// The text before each placeholder, with the placeholder's value; then the text after the last placeholder.
    pub(super) pieces: Vec<(String, Param)>,
    pub(super) rest: String,
}

impl Statement {
    /// The statement's text, with the dialect's placeholders.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The values to bind, in order.
    #[must_use]
    pub fn params(&self) -> &[Param] {
        &self.params
    }

    /// The statement's text with the values as PostgreSQL literals, for the simple query protocol: behind a pooler, a statement
    /// and its values must be sent in one message.
    #[must_use]
    pub fn with_postgres_literals(&self, values: &Values<'_>) -> String {
        let mut text = String::with_capacity(self.text.len() * 2);
        for (before, param) in &self.pieces {
            text.push_str(before);
            match values.get(*param) {
                Value::Text(Some(value)) => text.push_str(&Dialect::Postgres.literal(value)),
                Value::Integer(Some(value)) => text.push_str(&value.to_string()),
                Value::Text(None) | Value::Integer(None) => text.push_str("NULL"),
                Value::Duration(micros) => {
                    text.push_str("INTERVAL '");
                    text.push_str(&micros.to_string());
                    text.push_str(" microseconds'");
                }
            }
        }
        text.push_str(&self.rest);
        text
    }
}
