//! Checks that all nodes interpret the times in the table in the same time zone.

use super::facts::Column;
use super::types::Kind;
use super::{Description, Findings};
use crate::dialect::Dialect;
use crate::names::Names;

/// The names of UTC in lower case.
const UTC: [&str; 6] = ["utc", "etc/utc", "gmt", "+00:00", "zulu", "universal"];

fn is_utc(zone: &str) -> bool {
    UTC.contains(&zone.to_lowercase().as_str())
}

impl Description {
    /// The names, in lower case, of the session's time zone; none if no time in the table depends on that zone.
    pub(crate) fn zones(&self, names: &Names) -> Vec<String> {
        let zone = self.facts.session.zone.to_lowercase();
        match self.zoned_column(names) {
            None => Vec::new(),
            Some(_) if is_utc(&zone) => UTC.map(str::to_owned).into(),
            Some(_) => vec![zone],
        }
    }

    /// A column of times whose values depend on the session's time zone.
    fn zoned_column(&self, names: &Names) -> Option<&Column> {
        let is_zoned = |found: &str| match names.dialect() {
            Dialect::Postgres => found.contains("with time zone"),
            Dialect::MySql => found.to_lowercase().starts_with("timestamp"),
            Dialect::Sqlite => false,
        };
        [names.columns().lock_until(), names.columns().locked_at()]
            .into_iter()
            .filter_map(|name| self.column(name))
            .find(|column| is_zoned(&column.kind))
    }

    pub(super) fn check_zones(&self, names: &Names, findings: &mut Findings) {
        if let Some(column) = self.zoned_column(names) {
            let session = &self.facts.session.zone;
            let others = match names.dialect() {
                Dialect::MySql => self.facts.session.zone_of_others.as_str(),
                _ => "UTC",
            };
            let (name, found) = (&column.name, &column.kind);
            let depends =
                format!("the column `{name}` of type {found} depends on the session's time zone");
            let agree = session == others || is_utc(session) && is_utc(others);
            let wanted = Kind::Time.wanted(names.dialect());
            if !agree {
                findings.problem(format!(
                    "{depends}, which is {session} here and {others} for programs that do not set it: leave it as the \
                     server has it, or make the column {wanted}"
                ));
            } else if !is_utc(session) || names.dialect() == Dialect::Postgres {
                findings.warning(format!(
                    "{depends}, which is {session}: programs that set another one disagree, and a zone with summer time \
                     has an hour in which no lock can end; make the column {wanted}"
                ));
            }
        }
        if let Some(lock) = &self.suspicious_row {
            findings.warning(format!(
                "the lock `{lock}` has no end or was taken in the future: delete its row; a node's clock is wrong, or its time \
                 is not in UTC; nodes on the JVM need `usingDbTime()` or `forceUtcTimeZone()`"
            ));
        }
    }
}
