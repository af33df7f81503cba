//! The account under which a server runs, since database servers refuse to run as root.

use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

/// An account of this machine, other than the account of the tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    user: u32,
    group: u32,
    home: String,
}

impl Account {
    /// The account under which the server must run: `None` unless the tests run as root, and otherwise the account `name`.
    ///
    /// # Errors
    ///
    /// A message for the reader, if the tests run as root and the account does not exist.
    pub(super) fn to_run_as(name: &str) -> Result<Option<Self>, String> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let accounts = fs::read_to_string("/etc/passwd")
            .map_err(|error| format!("failed to read /etc/passwd: {error}"))?;
        match Self::find(&accounts, name) {
            Some(account) => Ok(Some(account)),
            None => Err(format!(
                "the server refuses to run as root and there is no account `{name}`"
            )),
        }
    }

    fn find(accounts: &str, name: &str) -> Option<Self> {
        accounts.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next()? == name).then_some(())?;
            let user = fields.nth(1)?.parse().ok()?;
            let group = fields.next()?.parse().ok()?;
            Some(Self {
                user,
                group,
                home: fields.nth(1)?.to_owned(),
            })
        })
    }

    /// Runs the command under this account. The standard library also drops root's supplementary groups.
    pub(super) fn apply(&self, command: &mut Command) {
        command
            .uid(self.user)
            .gid(self.group)
            .env("HOME", &self.home);
    }

    pub(super) fn own(&self, path: &Path) -> io::Result<()> {
        chown(path, Some(self.user), Some(self.group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts = "root:x:0:0:root:/root:/bin/bash\npostgres2:x:7:7::/:/bin/sh\npostgres:x:101:104:PG,,,:/var/lib/postgresql:/bin/bash\n";
        let found = Account::find(accounts, "postgres").unwrap();
        assert_eq!(
            found,
            Account {
                user: 101,
                group: 104,
                home: "/var/lib/postgresql".to_owned()
            }
        );
        assert_eq!(Account::find(accounts, "post"), None);
    }
}
