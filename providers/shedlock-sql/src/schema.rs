//! Whether a table is as locks need it: what a server says of it, and what is wrong with that.

mod types;

use shedlock_runtime::{ErrorKind, LockError};

use crate::dialect::Dialect;
use crate::names::Names;
use types::Kind;

/// The questions to a server about one table.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Inspection {
    /// Gives each column's name, type, what else is said of it, and its collation: four texts.
    pub columns: &'static str,
    /// Gives each unique key's name and one of its columns, or nothing in its place where that is an expression: two texts.
    pub keys: &'static str,
    /// Gives the time zones of this session and of others: two texts.
    pub zones: &'static str,
}

impl Inspection {
    /// The questions in a dialect.
    ///
    /// The first two ask for the table: PostgreSQL for [`Names::quoted_table`]; MySQL for [`Names::schema`], then
    /// [`Names::bare_table`]; SQLite for these two the other way round.
    #[must_use]
    pub const fn of(dialect: Dialect) -> Self {
        macro_rules! files {
            ($dialect:literal) => {
                Self {
                    columns: include_str!(concat!("../sql/", $dialect, "/columns.sql")),
                    keys: include_str!(concat!("../sql/", $dialect, "/keys.sql")),
                    zones: include_str!(concat!("../sql/", $dialect, "/zones.sql")),
                }
            };
        }
        match dialect {
            Dialect::Postgres => files!("postgres"),
            Dialect::MySql => files!("mysql"),
            Dialect::Sqlite => files!("sqlite"),
        }
    }
}

/// What a server says of a table: the answers to an [`Inspection`].
#[derive(Debug, Clone, Default)]
pub struct Description {
    /// Name, type, remark and collation of each column.
    pub columns: Vec<[String; 4]>,
    /// Name and column of each unique key's parts.
    pub keys: Vec<[String; 2]>,
    /// The time zones of this session and of others.
    pub zones: [String; 2],
    /// A lock without an end, or taken in the future.
    pub future: Option<String>,
}

/// What is odd about a table that works.
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
    warnings: Vec<String>,
}

impl Description {
    /// Judges the table.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`] with all that must be changed, and how.
    pub fn check(&self, names: &Names) -> Result<SchemaReport, LockError> {
        if self.is_empty() {
            let problem = format!("the table `{}` does not exist", names.table());
            let ddl: Vec<_> = names.ddl().split_whitespace().map(str::to_owned).collect();
            return Err(LockError::new(ErrorKind::Schema, problem)
                .with_remedy(format!("call `ensure_schema()` or run: {}", ddl.join(" "))));
        }
        let mut findings = Findings::default();
        self.check_columns(names, &mut findings);
        self.check_others(names, &mut findings);
        self.check_key(names, &mut findings);
        self.check_zones(names, &mut findings);
        let Findings { problems, warnings } = findings;
        if problems.is_empty() {
            return Ok(SchemaReport { warnings });
        }
        Err(LockError::new(
            ErrorKind::Schema,
            format!(
                "the table `{}` is not as locks need it: {}",
                names.table(),
                problems.join("; ")
            ),
        ))
    }

    /// Whether there is no such table, or none that this user may see.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Whether the column of the leases' ends ends itself, on 2038-01-19.
    #[must_use]
    pub fn ends_in_2038(&self, names: &Names) -> bool {
        let column = self.column(names.columns().lock_until());
        names.dialect() == Dialect::MySql
            && column.is_some_and(|[_, kind, ..]| kind.to_lowercase().starts_with("timestamp"))
    }

    fn column(&self, name: &str) -> Option<&[String; 4]> {
        // MySQL and SQLite ignore the case of columns, and PostgreSQL has no two that differ by it but by intent.
        self.columns
            .iter()
            .find(|column| column[0].eq_ignore_ascii_case(name))
    }

    fn check_columns(&self, names: &Names, findings: &mut Findings) {
        let dialect = names.dialect();
        for (name, kind) in kinds(names) {
            let wanted = kind.wanted(dialect);
            let change = |found: &str| {
                format!(
                    "the column `{name}` is {found}; expected {wanted}: {}",
                    names.alter(name, wanted)
                )
            };
            let Some([_, found, remark, collation]) = self.column(name) else {
                let lacks = format!("there is no column `{name}`: {}", names.add(name, wanted));
                if kind == Kind::Token {
                    findings
                        .warnings
                        .push(format!("{lacks}; without it, locks have no fencing token"));
                } else {
                    findings.problems.push(lacks);
                }
                continue;
            };
            match kind.judge(dialect, &found.to_lowercase()) {
                types::Verdict::Fits => {}
                types::Verdict::Limits(why) => {
                    findings.warnings.push(format!("{}; {why}", change(found)));
                }
                types::Verdict::Breaks(why) => {
                    findings.problems.push(format!("{}; {why}", change(found)));
                }
            }
            if kind == Kind::Token && remark == "must be filled" {
                findings.problems.push(format!(
                    "the column `{name}` has no default, so nodes that do not know it cannot insert: {}",
                    names.alter(name, wanted)
                ));
            }
            if kind == Kind::Name && types::mixes_names(dialect, collation) {
                findings.warnings.push(format!(
                    "the column `{name}` has the collation `{collation}`, which takes names for one another that \
                     differ in case, accents or trailing blanks: {}",
                    names.alter(name, wanted)
                ));
            }
        }
    }

    fn check_others(&self, names: &Names, findings: &mut Findings) {
        let known = kinds(names);
        for [name, _, remark, _] in &self.columns {
            if known
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
            {
                continue;
            }
            if remark == "must be filled" {
                findings.problems.push(format!(
                    "the column `{name}` has no default, so no lock can be inserted: give it one"
                ));
            }
            if remark.contains("auto_increment") {
                findings.problems.push(format!(
                    "the column `{name}` counts up by itself, which hides the answer to an acquisition: drop it"
                ));
            }
        }
    }

    fn check_key(&self, names: &Names, findings: &mut Findings) {
        let name = names.columns().name();
        let is_key = |key: &str| {
            let mut parts = self.keys.iter().filter(|part| part[0] == key);
            parts.clone().count() == 1 && parts.all(|part| part[1].eq_ignore_ascii_case(name))
        };
        if !self.keys.iter().any(|[key, _]| is_key(key)) {
            findings.problems.push(format!(
                "the column `{name}` is not the primary key, so two nodes could hold one lock: {}",
                names.add_key()
            ));
        }
    }

    fn check_zones(&self, names: &Names, findings: &mut Findings) {
        let is_utc = |zone: &str| {
            ["utc", "etc/utc", "gmt", "+00:00", "zulu", "universal"]
                .contains(&zone.to_lowercase().as_str())
        };
        let zoned = |found: &str| match names.dialect() {
            Dialect::Postgres => found.contains("with time zone"),
            Dialect::MySql => found.to_lowercase().starts_with("timestamp"),
            Dialect::Sqlite => false,
        };
        let mut columns = [names.columns().lock_until(), names.columns().locked_at()]
            .into_iter()
            .filter_map(|name| self.column(name));
        if let Some([name, found, ..]) = columns.find(|[_, found, ..]| zoned(found)) {
            let [session, others] = &self.zones;
            let depends =
                format!("the column `{name}` of type {found} depends on the session's time zone");
            let agree = session == others || is_utc(session) && is_utc(others);
            let wanted = Kind::Time.wanted(names.dialect());
            if !agree {
                findings.problems.push(format!(
                    "{depends}, which is {session} here and {others} for programs that do not set it: leave it as the \
                     server has it, or make the column {wanted}"
                ));
            } else if !is_utc(session) || names.dialect() == Dialect::Postgres {
                findings.warnings.push(format!(
                    "{depends}, which is {session}: programs that set another one disagree, and a zone with summer time \
                     has an hour in which no lock can end; make the column {wanted}"
                ));
            }
        }
        if let Some(lock) = &self.future {
            findings.warnings.push(format!(
                "the lock `{lock}` has no end or was taken in the future: delete its row; a node's clock is wrong, or its time \
                 is not in UTC; nodes on the JVM need `usingDbTime()` or `forceUtcTimeZone()`"
            ));
        }
    }
}

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

#[cfg(test)]
mod tests;
