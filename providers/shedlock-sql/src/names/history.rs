//! The names of the table of runs.

use shedlock_runtime::LockError;

use super::{ColumnNames, Names, check, refuse};
use crate::dialect::Dialect;
use crate::statements::template::one_line;

/// The default name of the table of runs.
pub const DEFAULT_HISTORY_TABLE: &str = "shedlock_history";

/// What a table keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contents {
    Locks,
    Runs,
}

const COLUMNS: &str = "{name}, began, node, ended, outcome, {fencing_token}, {position}, {position_done}, {position_tries}, error";

impl Names {
    /// The names of the table of runs, for [`SqlOptions::with_history`](crate::SqlOptions::with_history). The names of its columns are fixed.
    /// An unqualified `table` is in the schema of the table of locks.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new). The name of the table's index, `<table>_ended`, must not be too long either.
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_sql::{Dialect, Names};
    ///
    /// let runs = Names::history(Dialect::Sqlite, "runs")?;
    /// assert!(runs.ddl().contains("`runs_ended`"));
    /// # Ok::<(), shedlock_runtime::LockError>(())
    /// ```
    pub fn history(dialect: Dialect, table: &str) -> Result<Self, LockError> {
        let names = Self {
            contents: Contents::Runs,
            ..Self::new(dialect, table, ColumnNames::default())?
        };
        check(dialect, "index", &names.ended_index())?;
        Ok(names)
    }

    /// Checks that these names, of the table of locks, and those of the table of runs mean different tables.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) if both are the same.
    pub fn check_history(&self, runs: &Self) -> Result<(), LockError> {
        let schemas = self.named_schema().zip(runs.named_schema());
        let is_other_schema = schemas.is_some_and(|(one, other)| one != other);
        if self.bare_table() == runs.bare_table() && !is_other_schema {
            return Err(refuse(format!(
                "locks and their history cannot share the table `{}`",
                self.table().escape_debug()
            ))
            .with_remedy("give the history a table of its own: `history_table_name(..)`"));
        }
        Ok(())
    }

    /// Whether these are the names of the table of runs.
    pub(crate) fn is_history(&self) -> bool {
        self.contents == Contents::Runs
    }

    pub(super) const fn history_ddl(dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Postgres => include_str!("../../ddl/history/postgres.sql"),
            Dialect::MySql => include_str!("../../ddl/history/mysql.sql"),
            Dialect::Sqlite => include_str!("../../ddl/history/sqlite.sql"),
        }
    }

    /// The name of the index for the deletion of old runs.
    pub(super) fn ended_index(&self) -> String {
        format!("{}_ended", self.bare_table())
    }

    /// Queries that find nothing and change nothing, and fail if a column or a privilege for the history is missing.
    pub(crate) fn history_probes(&self) -> [String; 3] {
        let query = format!("SELECT {COLUMNS} FROM {{table}} WHERE 1 = 0");
        let texts = [
            query.clone(),
            format!("EXPLAIN INSERT INTO {{table}} ({COLUMNS}) {query}"),
            "EXPLAIN DELETE FROM {table} WHERE 1 = 0".to_owned(),
        ];
        texts.map(|text| self.fill_in(&one_line(&text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_in_the_table_of_locks_is_refused() {
        let clash = |locks, runs| {
            let locks = Names::new(Dialect::Postgres, locks, ColumnNames::default()).unwrap();
            let runs = Names::history(Dialect::Postgres, runs).unwrap();
            locks
                .check_history(&runs)
                .err()
                .map(|error| error.to_string())
        };
        assert_eq!(clash("shedlock", DEFAULT_HISTORY_TABLE), None);
        assert_eq!(clash("a.t", "b.t"), None);
        for (locks, runs) in [("t", "t"), ("a.t", "t"), ("t", "a.t"), ("a.t", "a.t")] {
            let told = clash(locks, runs).expect("one table");
            assert!(told.contains("`history_table_name(..)`"), "{told}");
        }
    }

    #[test]
    fn a_name_too_long_for_the_index_is_refused() {
        let long = "x".repeat(58);
        let told = Names::history(Dialect::Postgres, &long).unwrap_err();
        assert!(told.to_string().contains("at most 63 bytes"), "{told}");
        assert!(Names::history(Dialect::Postgres, &long[1..]).is_ok());
    }
}
