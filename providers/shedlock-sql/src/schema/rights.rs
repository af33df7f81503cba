//! Checks which rows this user may see and write under row-level security policies.

use super::facts::{Command, Policy};
use super::{Description, Findings};
use crate::names::Names;

/// The commands that locks need, and their names in PostgreSQL.
const NEEDED: [(Command, &str); 3] = [
    (Command::Select, "SELECT"),
    (Command::Insert, "INSERT"),
    (Command::Update, "UPDATE"),
];

impl Description {
    pub(super) fn check_rights(&self, names: &Names, findings: &mut Findings) {
        let is_guarded = self
            .facts
            .table
            .as_ref()
            .is_some_and(|table| table.is_guarded);
        if !is_guarded {
            return;
        }
        let user = &self.facts.session.user;
        let missing: Vec<_> = NEEDED
            .into_iter()
            .filter(|(command, _)| !self.policies(*command).any(|policy| policy.is_permissive))
            .map(|(_, name)| name)
            .collect();
        let create = self.create_policy(names);
        if !missing.is_empty() {
            findings.problem(format!(
                "the table has row-level security, and for the user `{user}` no policy for {}: {create}",
                missing.join(" and ")
            ));
            return;
        }
        if NEEDED.into_iter().any(|(command, _)| self.hides(command)) {
            let mut told: Vec<_> = self
                .facts
                .policies
                .iter()
                .filter(|policy| !policy.is_open())
                .collect();
            told.dedup_by(|a, b| a.name == b.name);
            let list: Vec<_> = told
                .iter()
                .map(|policy| format!("`{}`", policy.name))
                .collect();
            // A restrictive policy hides rows that others allow, so a further policy would not help.
            let remedy = match told.iter().find(|policy| !policy.is_permissive) {
                Some(policy) => format!(
                    "run: DROP POLICY {} ON {}",
                    names.dialect().quote(&policy.name),
                    names.quoted_table()
                ),
                None => create,
            };
            findings.warning(format!(
                "the table has row-level security, and {} may hide rows from the user `{user}`: a lock whose row is hidden can \
                 be neither taken nor released, unless all names of this user pass: {remedy}",
                list.join(", ")
            ));
        }
    }

    fn policies(&self, command: Command) -> impl Iterator<Item = &Policy> {
        let policies = self.facts.policies.iter();
        policies.filter(move |policy| [command, Command::All].contains(&policy.command))
    }

    /// Whether the policies may hide some rows from the command.
    fn hides(&self, command: Command) -> bool {
        let passes = |policy: &Policy| match command {
            Command::Insert => policy.writes_all,
            _ => policy.is_open(),
        };
        let let_through = self
            .policies(command)
            .any(|policy| policy.is_permissive && passes(policy));
        !let_through
            || self
                .policies(command)
                .any(|policy| !policy.is_permissive && !passes(policy))
    }

    /// The remedy: a policy that lets this user see and write all rows.
    fn create_policy(&self, names: &Names) -> String {
        let quote = |name: &str| names.dialect().quote(name);
        let is_taken = |name: &str| self.facts.policies.iter().any(|policy| policy.name == name);
        let mut name = "shedlock".to_owned();
        while is_taken(&name) {
            name.push('_');
        }
        format!(
            "as the table's owner, run: CREATE POLICY {} ON {} TO {} USING (true) WITH CHECK (true)",
            quote(&name),
            names.quoted_table(),
            quote(&self.facts.session.user)
        )
    }
}

impl Policy {
    /// Whether all rows pass the policy.
    fn is_open(&self) -> bool {
        let reads = self.command == Command::Insert || self.reads_all;
        let writes = matches!(self.command, Command::Select | Command::Delete) || self.writes_all;
        reads && writes
    }
}
