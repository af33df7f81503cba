//! Finds the table behind a view, for MySQL and MariaDB: their catalogues show no keys for a view, and these databases do not
//! reject a table without a key themselves.

use super::Description;
use super::facts::{Column, Facts, Filled, KeyPart, Table, TableKind};
use crate::dialect::Dialect;
use crate::names::Names;

/// A view that consists of columns of one table, with all rows.
#[derive(Debug, PartialEq, Eq)]
struct Plain {
    schema: String,
    table: String,
    /// Each column's name in the table, and in the view.
    columns: Vec<[String; 2]>,
}

impl Description {
    /// The table behind the view of these `names`, which has to be inspected as well.
    pub(crate) fn behind(&self, names: &Names) -> Option<Names> {
        if names.dialect() != Dialect::MySql || !self.is(&TableKind::View) {
            return None;
        }
        let view = Plain::parse(self.facts.view.as_deref()?)?;
        Some(names.of_table(view.schema, view.table))
    }

    /// Adds the description of the table [`behind`](Self::behind) the view.
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
    /// Parses a definition in the form in which the servers store it: "select `s`.`t`.`a` AS `b`,.. from `s`.`t`".
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

    /// Combines the facts of the table that apply through the view with those of hidden columns that affect inserts.
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

/// Splits off a name in backticks from the text after it.
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
