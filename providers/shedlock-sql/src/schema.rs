//! Inspects a table: what the server's catalogue says of it, and which problems that means for locks.

mod columns;
mod facts;
mod inspection;
mod keys;
mod positions;
mod rights;
mod session;
mod table;
mod types;
mod view;
mod writes;
mod zones;

use std::time::Duration;

use shedlock_runtime::{ErrorKind, LockError};

use crate::dialect::Dialect;
use crate::names::Names;
use crate::statements::TokenColumn;
use facts::{Column, Facts, TableKind};
use types::Kind;

pub(crate) use inspection::Inspection;

/// The server's description of a table: the answers to an [`Inspection`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Description {
    facts: Facts,
    /// The name of a lock whose end is NULL or whose start is in the future.
    suspicious_row: Option<String>,
    /// The server's error when it was asked to plan the statement that takes a lock.
    refusal: Option<String>,
}

/// The warnings about a usable table, from [`SqlLocks::check_schema`](crate::SqlLocks::check_schema).
///
/// # Examples
///
/// ```
/// use shedlock_sql::SchemaReport;
///
/// fn show(report: &SchemaReport) {
///     for warning in report.warnings() {
///         println!("{warning}");
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "it says what is odd about the table"]
pub struct SchemaReport {
    warnings: Vec<String>,
}

impl SchemaReport {
    /// The limitations with which locks still work, for this program or for others that share the table, each with advice.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// Collects problems and warnings.
#[derive(Default)]
struct Findings {
    problems: Vec<String>,
    /// Problems of the session, independent of the table.
    session: Vec<(ErrorKind, String)>,
    warnings: Vec<String>,
}

impl Findings {
    fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    fn warning(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }
}

impl Description {
    /// Parses the rows of [`Inspection::catalogue`] and [`Inspection::mixing`]. NULL is an empty text.
    pub(crate) fn read(rows: &[[String; Inspection::FACT]]) -> Self {
        let mut description = Self::default();
        for row in rows {
            description.facts.take(row);
        }
        description
    }

    /// Adds the result of [`Inspection::definition`].
    pub(crate) fn with_definition(mut self, definition: &str) -> Self {
        if definition.starts_with("CREATE TEMPORARY ") {
            self.facts.make_temporary();
        }
        self
    }

    /// Adds the lock that [`Statements::suspicious_row`](crate::Statements::suspicious_row) found.
    pub(crate) fn with_suspicious_row(mut self, lock: Option<String>) -> Self {
        self.suspicious_row = lock;
        self
    }

    /// Adds the server's error when it was asked to `EXPLAIN` the statement that takes a lock.
    pub(crate) fn with_refusal(mut self, refusal: Option<String>) -> Self {
        self.refusal = refusal;
        self
    }

    /// Whether the catalogue does not show whether locks can be taken, so that an `EXPLAIN` is needed.
    pub(crate) fn wants_trial(&self, names: &Names) -> bool {
        match names.dialect() {
            // The view has no keys itself; the table behind it does.
            Dialect::Postgres => self.is(&TableKind::View),
            Dialect::MySql => false,
            // SQLite plans without I/O, and its catalogue has the least information.
            Dialect::Sqlite => !self.is_empty(),
        }
    }

    /// Whether the table has a column for the fencing token.
    pub(crate) fn token_column(&self, names: &Names) -> TokenColumn {
        match self.column(names.columns().fencing_token()) {
            Some(_) => TokenColumn::Present,
            None => TokenColumn::Missing,
        }
    }

    /// Checks the table and the session, and returns the warnings.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`] with all necessary changes to the table; [`ErrorKind::ReadOnly`] or [`ErrorKind::Configuration`] if
    /// only the session is wrong.
    pub(crate) fn check(&self, names: &Names) -> Result<SchemaReport, LockError> {
        if self.is_empty() {
            let problem = format!("the table `{}` does not exist", names.table());
            let ddl: Vec<_> = names.ddl().split_whitespace().map(str::to_owned).collect();
            return Err(LockError::new(ErrorKind::Schema, problem)
                .with_remedy(format!("call `ensure_schema()` or run: {}", ddl.join(" "))));
        }
        let mut findings = Findings::default();
        if self.check_table(names, &mut findings) {
            self.check_columns(names, &mut findings);
            self.check_others(names, &mut findings);
            self.warn_of_positions(names, &mut findings);
            self.check_keys(names, &mut findings);
            self.check_writes(names, &mut findings);
            self.check_rights(names, &mut findings);
            self.check_zones(names, &mut findings);
            self.check_trial(&mut findings);
        }
        self.check_session(names, &mut findings);
        findings.into_report(names)
    }

    /// Whether the table does not exist, or this user may not see it.
    pub(crate) fn is_empty(&self) -> bool {
        self.facts.columns.is_empty() && self.facts.table.is_none()
    }

    /// Whether the column of the leases' ends stores times up to 2038-01-19 only.
    pub(crate) fn ends_in_2038(&self, names: &Names) -> bool {
        let column = self.column(names.columns().lock_until());
        names.dialect() == Dialect::MySql
            && column.is_some_and(|column| column.kind.to_lowercase().starts_with("timestamp"))
    }

    /// By how much the column of the leases' ends may shorten a lease, for example because it stores whole seconds.
    pub(crate) fn grain(&self, names: &Names) -> Duration {
        let column = self.column(names.columns().lock_until());
        column.map_or(Duration::ZERO, |column| {
            types::grain(names.dialect(), &column.kind.to_lowercase())
        })
    }

    fn is(&self, kind: &TableKind) -> bool {
        self.facts
            .table
            .as_ref()
            .is_some_and(|table| table.kind == *kind)
    }

    fn column(&self, name: &str) -> Option<&Column> {
        // MySQL and SQLite ignore the case of column names, and in PostgreSQL two columns hardly ever differ by case alone.
        self.facts
            .columns
            .iter()
            .find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// Reports the error of the trial, if the other checks found no problem.
    fn check_trial(&self, findings: &mut Findings) {
        if let Some(refusal) = &self.refusal
            && findings.problems.is_empty()
        {
            findings.problem(format!(
                "the database refuses the statement that takes a lock: {refusal}"
            ));
        }
    }
}

impl Findings {
    fn into_report(self, names: &Names) -> Result<SchemaReport, LockError> {
        let Self {
            mut problems,
            session,
            warnings,
        } = self;
        let kind = match (&problems[..], session.first()) {
            ([], None) => return Ok(SchemaReport { warnings }),
            ([], Some((kind, _))) => *kind,
            _ => ErrorKind::Schema,
        };
        let subject = if problems.is_empty() {
            "the session is not as locks need it".to_owned()
        } else {
            format!("the table `{}` is not as locks need it", names.table())
        };
        problems.extend(session.into_iter().map(|(_, problem)| problem));
        let told = format!("{subject}: {}", problems.join("; "));
        Err(LockError::new(kind, told))
    }
}

/// The type that `ensure_schema` gives to the start and the end of a lease.
pub(crate) const fn time_type(dialect: Dialect) -> &'static str {
    Kind::Time.wanted(dialect)
}

/// The purpose of each of the columns that locks without a position use.
fn kinds(names: &Names) -> [(&str, Kind); 5] {
    let columns = names.columns();
    [
        (columns.name(), Kind::Name),
        (columns.lock_until(), Kind::Time),
        (columns.locked_at(), Kind::Time),
        (columns.locked_by(), Kind::Owner),
        (columns.fencing_token(), Kind::Token),
    ]
}

/// The purpose of each of the columns for positions, which a table may lack.
fn position_kinds(names: &Names) -> [(&str, Kind); 3] {
    let columns = names.columns();
    [
        (columns.position(), Kind::Position),
        (columns.position_done(), Kind::PositionDone),
        (columns.position_tries(), Kind::PositionTries),
    ]
}

/// The purpose of this column, if it is one of the configured columns.
fn kind_of(names: &Names, column: &str) -> Option<Kind> {
    let known = kinds(names)
        .into_iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(column));
    known.map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests;
