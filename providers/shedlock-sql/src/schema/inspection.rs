//! The queries about one table.

use crate::dialect::Dialect;
use crate::names::Names;
use crate::statements::template::{one_line, without_comments};

/// The queries about one table: SQL texts without placeholders, each of which is one message.
///
/// The queries must be sent unprepared: behind a pooler, a prepared statement would stay on a connection that other clients get next.
#[derive(Debug, Clone)]
pub(crate) struct Inspection {
    /// Returns rows of [`FACT`](Self::FACT) texts, or NULLs, for [`Description::read`](crate::Description::read).
    pub(crate) catalogue: String,
    /// Returns a row of the same form if the name's column treats different names as equal; fails if there is no such column. For SQLite,
    /// whose catalogue does not report collations.
    pub(crate) mixing: Option<String>,
    /// Returns the table's definition in its second column; fails if there is no such table. For MySQL, whose catalogue does not
    /// list temporary tables.
    pub(crate) definition: Option<String>,
}

impl Inspection {
    /// The number of columns in a row of facts.
    pub(crate) const FACT: usize = 7;

    /// The queries about the table of these `names`.
    pub(crate) fn from_names(names: &Names) -> Self {
        let text = |file| names.fill_in(&one_line(&without_comments(file)));
        let (catalogue, mixing, definition) = match names.dialect() {
            Dialect::Postgres => (include_str!("../../sql/postgres/catalogue.sql"), None, None),
            Dialect::MySql => (
                include_str!("../../sql/mysql/catalogue.sql"),
                None,
                Some(include_str!("../../sql/mysql/definition.sql")),
            ),
            Dialect::Sqlite => (
                include_str!("../../sql/sqlite/catalogue.sql"),
                Some(include_str!("../../sql/sqlite/mixing.sql")),
                None,
            ),
        };
        Self {
            catalogue: text(catalogue),
            mixing: mixing.map(text),
            definition: definition.map(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::ColumnNames;
    use crate::schema::facts::rows::{FactKind, Setting};

    #[test]
    fn the_texts_have_the_names_in_them_and_no_places() {
        for dialect in [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite] {
            let names = Names::new(dialect, "a'b.c`d", ColumnNames::default()).unwrap();
            let asked = Inspection::from_names(&names);
            for text in [Some(asked.catalogue), asked.mixing, asked.definition]
                .into_iter()
                .flatten()
            {
                for place in ["{", "$1", "?", "-- ", "\n"] {
                    assert!(!text.contains(place), "`{place}` in {text}");
                }
            }
        }
    }

    /// The quoted texts after each `start`.
    fn words<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
        let after = text.split(start).skip(1);
        after.filter_map(|after| after.split('\'').next()).collect()
    }

    #[test]
    fn each_kind_of_row_is_one_that_is_read() {
        for dialect in [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite] {
            let asked = Inspection::from_names(&Names::shedlock(dialect));
            let text = asked.catalogue;
            let mut kinds = words(&text, "SELECT '");
            kinds.extend(words(&text, "CAST('"));
            assert!(kinds.len() > 8, "{text}");
            for kind in kinds {
                assert!(FactKind::parse(kind).is_some(), "`{kind}` of {dialect}");
            }
        }
    }

    #[test]
    fn each_setting_of_a_session_is_one_that_is_read() {
        for (dialect, start) in [
            (Dialect::Postgres, " ('"),
            (Dialect::MySql, "'session', '"),
            (Dialect::Sqlite, "'session', '"),
        ] {
            let asked = Inspection::from_names(&Names::shedlock(dialect));
            let (_, text) = asked.catalogue.split_once("SELECT 'session'").unwrap();
            let text = format!("SELECT 'session'{text}");
            let settings = words(&text, start);
            assert!(settings.len() > 2, "{settings:?} in {text}");
            for setting in settings {
                assert!(
                    Setting::parse(setting).is_some(),
                    "`{setting}` of {dialect}"
                );
            }
        }
    }
}
