//! Whether a table is as locks need it: what a server says of it, and what is wrong with that.

mod columns;
mod facts;
mod inspection;
mod keys;
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

/// What a server says of a table: the answers to an [`Inspection`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Description {
    facts: Facts,
    /// A lock without an end, or taken in the future.
    suspicious_row: Option<String>,
    /// What the server said when it was to plan the statement that takes a lock, if it refused.
    refusal: Option<String>,
}

/// What is odd about a table that works; from [`SqlLocks::check_schema`](crate::SqlLocks::check_schema).
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
    /// What does not hinder locks, but limits them or somebody who shares the table. Each says what to do.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// Findings in the making.
#[derive(Default)]
struct Findings {
    problems: Vec<String>,
    /// Of the session, whatever the table is like.
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
    /// What the rows of [`Inspection::catalogue`] and [`Inspection::mixing`] say. A NULL is an empty text.
    pub(crate) fn read(rows: &[[String; Inspection::FACT]]) -> Self {
        let mut description = Self::default();
        for row in rows {
            description.facts.take(row);
        }
        description
    }

    /// Takes in what [`Inspection::definition`] gave.
    pub(crate) fn with_definition(mut self, definition: &str) -> Self {
        if definition.starts_with("CREATE TEMPORARY ") {
            self.facts.make_temporary();
        }
        self
    }

    /// Takes in the lock that [`Statements::suspicious_row`](crate::Statements::suspicious_row) found.
    pub(crate) fn with_suspicious_row(mut self, lock: Option<String>) -> Self {
        self.suspicious_row = lock;
        self
    }

    /// Takes in what the server said when it was asked to `EXPLAIN` the statement that takes a lock, if it refused.
    pub(crate) fn with_refusal(mut self, refusal: Option<String>) -> Self {
        self.refusal = refusal;
        self
    }

    /// Whether the catalogue does not tell whether locks can be taken, so that an `EXPLAIN` has to.
    pub(crate) fn wants_trial(&self, names: &Names) -> bool {
        match names.dialect() {
            // The keys are those of a table behind it.
            Dialect::Postgres => self.is(&TableKind::View),
            Dialect::MySql => false,
            // It costs nothing, and the catalogue says least.
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

    /// Judges the table and the session.
    ///
    /// # Errors
    ///
    /// With all that must be changed, and how: of [`ErrorKind::Schema`]; or, if nothing but the session is wrong, of
    /// [`ErrorKind::ReadOnly`] or [`ErrorKind::Configuration`].
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
            self.check_keys(names, &mut findings);
            self.check_writes(names, &mut findings);
            self.check_rights(names, &mut findings);
            self.check_zones(names, &mut findings);
            self.check_trial(&mut findings);
        }
        self.check_session(names, &mut findings);
        findings.into_report(names)
    }

    /// Whether there is no such table, or none that this user may see.
    pub(crate) fn is_empty(&self) -> bool {
        self.facts.columns.is_empty() && self.facts.table.is_none()
    }

    /// Whether the column of the leases' ends ends itself, on 2038-01-19.
    pub(crate) fn ends_in_2038(&self, names: &Names) -> bool {
        let column = self.column(names.columns().lock_until());
        names.dialect() == Dialect::MySql
            && column.is_some_and(|column| column.kind.to_lowercase().starts_with("timestamp"))
    }

    /// How much the column of the leases' ends may take away from an end, because it keeps whole seconds, say.
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
        // MySQL and SQLite ignore the case of columns, and PostgreSQL has no two that differ by it but by intent.
        self.facts
            .columns
            .iter()
            .find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// What no judge of a single thing has found.
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

/// The type that we would give the start and the end of a lease.
pub(crate) const fn time_type(dialect: Dialect) -> &'static str {
    Kind::Time.wanted(dialect)
}

/// What each of our columns is for.
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

/// What this column is for, if it is one of ours.
fn kind_of(names: &Names, column: &str) -> Option<Kind> {
    let known = kinds(names)
        .into_iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(column));
    known.map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests;
