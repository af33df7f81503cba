//! The table behind a view, for MySQL and MariaDB: there, no key shows through a view, and nothing else refuses a table
//! without one.

use super::Description;
use super::facts::{Column, Facts, Filled, KeyPart, Table, TableKind};
use crate::dialect::Dialect;
use crate::names::Names;

/// A view that shows columns of one table, all its rows and nothing else.
#[derive(Debug, PartialEq, Eq)]
struct Plain {
    schema: String,
    table: String,
    /// What the table calls a column, and what the view does.
    columns: Vec<[String; 2]>,
}

impl Description {
    /// The table to look at as well: what is called by these `names` is a view of it.
    pub(crate) fn behind(&self, names: &Names) -> Option<Names> {
        if names.dialect() != Dialect::MySql || !self.is(&TableKind::View) {
            return None;
        }
        let view = Plain::parse(self.facts.view.as_deref()?)?;
        Some(names.of_table(view.schema, view.table))
    }

    /// Takes in what is said of the table [`behind`](Self::behind).
    pub(crate) fn with_behind(mut self, behind: Self) -> Self {
        let view = self.facts.view.as_deref().and_then(Plain::parse);
        if let Some(view) = view
            && behind.is(&TableKind::Table)
        {
            self.facts = view.shown(behind.facts, self.facts);
        }
        self
    }
}

impl Plain {
    /// Reads a definition as the servers write it, whoever made the view: "select `s`.`t`.`a` AS `b`,.. from `s`.`t`".
    fn parse(definition: &str) -> Option<Self> {
        let mut columns = Vec::new();
        let mut rest = definition.strip_prefix("select ")?;
        loop {
            let (_schema, after) = identifier(rest)?;
            let (_table, after) = identifier(after.strip_prefix('.')?)?;
            let (own, after) = identifier(after.strip_prefix('.')?)?;
            let (shown, after) = identifier(after.strip_prefix(" AS ")?)?;
            columns.push([own, shown]);
            if let Some(after) = after.strip_prefix(',') {
                rest = after;
                continue;
            }
            let (schema, after) = identifier(after.strip_prefix(" from ")?)?;
            let (table, after) = identifier(after.strip_prefix('.')?)?;
            return after.is_empty().then_some(Self {
                schema,
                table,
                columns,
            });
        }
    }

    /// What of the table's facts shows through the view, and what hinders its inserts behind it.
    fn shown(&self, table: Facts, view: Facts) -> Facts {
        let shown = |own: &str| {
            let known = self.columns.iter().find(|[known, _]| known == own);
            known.map(|[_, shown]| shown.clone())
        };
        let columns = table.columns.into_iter().filter_map(|column| {
            let shown = shown(&column.name);
            let hinders = [Filled::Always, Filled::Counts].contains(&column.filled);
            let name = match shown {
                Some(shown) => shown,
                None if hinders => column.name,
                None => return None,
            };
            Some(Column { name, ..column })
        });
        let keys = table.keys.into_iter().map(|part| KeyPart {
            column: part.column.as_deref().and_then(shown),
            ..part
        });
        let mut foreign_keys = table.foreign_keys;
        for key in &mut foreign_keys {
            key.column = shown(&key.column).unwrap_or_else(|| key.column.clone());
        }
        Facts {
            table: table.table.map(|table| Table {
                kind: TableKind::PlainView,
                ..table
            }),
            columns: columns.collect(),
            keys: keys.collect(),
            triggers: table.triggers,
            foreign_keys,
            checks: table.checks,
            ..view
        }
    }
}

/// A name in backticks, and what follows it.
fn identifier(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('`')?;
    let mut name = String::new();
    loop {
        let (before, after) = rest.split_once('`')?;
        name.push_str(before);
        match after.strip_prefix('`') {
            Some(after) => {
                name.push('`');
                rest = after;
            }
            None => return Some((name, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_view_is_seen_through() {
        let view = Plain::parse(
            "select `a`.`t`.`job` AS `name`,`a`.`t`.`x``,y` AS `lock_until` from `a`.`t`",
        );
        let columns = [["job", "name"], ["x`,y", "lock_until"]];
        let expected = Plain {
            schema: "a".to_owned(),
            table: "t".to_owned(),
            columns: columns.map(|pair| pair.map(str::to_owned)).to_vec(),
        };
        assert_eq!(view, Some(expected));
        for more in [
            "",
            "select `a`.`t`.`n` AS `n`",
            "select `a`.`t`.`n` AS `n` from `a`.`t` where `a`.`t`.`n` <> 'x'",
            "select `a`.`t`.`n` AS `n` from `a`.`t` join `a`.`u`",
            "select distinct `a`.`t`.`n` AS `n` from `a`.`t`",
            "select max(`a`.`t`.`n`) AS `n` from `a`.`t`",
        ] {
            assert_eq!(Plain::parse(more), None, "{more}");
        }
    }
}
