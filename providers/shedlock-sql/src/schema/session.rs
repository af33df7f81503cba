//! Checks that the session can write, and that commits on its server are durable.

use shedlock_runtime::ErrorKind;

use super::facts::{Access, Storage};
use super::{Description, Findings};
use crate::dialect::Dialect;
use crate::names::Names;

impl Description {
    pub(super) fn check_session(&self, names: &Names, findings: &mut Findings) {
        let session = &self.facts.session;
        if session.has_autocommit_off {
            findings.session.push((
                ErrorKind::Configuration,
                "it has autocommit off, so no lock is ever committed: run in each session, as in the pool's `after_connect`: SET \
                 autocommit = 1"
                    .to_owned(),
            ));
        }
        match session.access {
            Access::Write => {}
            Access::ReadOnly => {
                let problem = format!("it is read-only: {}", self.writable(names));
                findings.session.push((ErrorKind::ReadOnly, problem));
            }
            Access::Standby => {
                let problem =
                    "its server is a standby, which takes no writes: connect to the primary";
                findings
                    .session
                    .push((ErrorKind::ReadOnly, problem.to_owned()));
            }
        }
        self.check_commits(names, findings);
    }

    fn writable(&self, names: &Names) -> String {
        match names.dialect() {
            Dialect::Postgres => format!(
                "{}; the setting in the connection's URL or options comes before it",
                self.set_for_role(names, "default_transaction_read_only", "off")
            ),
            Dialect::MySql => "run: SET SESSION TRANSACTION READ WRITE".to_owned(),
            Dialect::Sqlite => "run: PRAGMA query_only = OFF".to_owned(),
        }
    }

    /// Warns if a commit may be lost in a crash.
    fn check_commits(&self, names: &Names, findings: &mut Findings) {
        let session = &self.facts.session;
        let commits = session.commits.as_str();
        let is_innodb = self.facts.table.as_ref().is_some_and(
            |table| matches!(&table.storage, Storage::Engine(engine) if engine.eq_ignore_ascii_case("innodb")),
        );
        match (names.dialect(), commits) {
            (Dialect::Postgres, "off") => findings.warning(format!(
                "the session has `synchronous_commit = off`, so a crash of the server may take away what was granted: for new \
                 sessions, {}",
                self.set_for_role(names, "synchronous_commit", "on")
            )),
            (Dialect::MySql, "0" | "2") if is_innodb => findings.warning(format!(
                "the server has `innodb_flush_log_at_trx_commit = {commits}`, so a crash {} may take away what was granted \
                 in the last second: set it in the server's configuration, and run: SET GLOBAL innodb_flush_log_at_trx_commit = 1",
                if commits == "0" { "of it" } else { "of its machine" }
            )),
            (Dialect::Sqlite, "0") => findings.warning(
                "the session has `synchronous = OFF`, so a crash of the machine may break the file or take away what was granted: \
                 run in each session: PRAGMA synchronous = FULL",
            ),
            _ => {}
        }
        if matches!(session.journal.as_str(), "off" | "memory") && !self.is_in_memory() {
            findings.warning(format!(
                "the session has `journal_mode = {}`, so a process that dies while it writes may break the file: run in each \
                 session: PRAGMA journal_mode = DELETE",
                session.journal.to_uppercase()
            ));
        }
    }

    /// Whether the database is in memory: its journal mode cannot be changed, and another warning covers it.
    fn is_in_memory(&self) -> bool {
        let table = self.facts.table.as_ref();
        table.is_some_and(|table| table.storage == Storage::NoFile)
    }

    /// The remedy that changes a setting for this role in this database. It overrides the settings of the role or the database, and
    /// needs no special privileges.
    fn set_for_role(&self, names: &Names, setting: &str, value: &str) -> String {
        let quote = |name: &str| names.dialect().quote(name);
        let session = &self.facts.session;
        format!(
            "run: ALTER ROLE {} IN DATABASE {} SET {setting} = {value}",
            quote(&session.user),
            quote(&session.database)
        )
    }
}
