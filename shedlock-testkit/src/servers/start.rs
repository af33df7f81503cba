//! Starting a server for the first time and again.

use std::ffi::OsString;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::account::Account;
use super::keeper::Keeper;
use super::kind::{Kind, Site, Standalone};
use super::{Server, SmallDisk, blocking, memory, ports, tools};
use crate::unavailable::Unavailable;

/// The longest time that a server may take from its start to its first answer.
const START_TIMEOUT: Duration = Duration::from_secs(60);

impl<K: Standalone> Server<K> {
    /// Starts a server that only the caller uses.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if a program is missing or does not work. The error names the program and the command that installs it.
    pub async fn start() -> Result<Self, Unavailable> {
        Self::start_with(&[]).await
    }

    /// Starts a server that only the caller uses, with further arguments on the server's command line.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_with(arguments: &[&str]) -> Result<Self, Unavailable> {
        let arguments = arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect();
        blocking(move || Self::start_blocking(arguments, Vec::new())).await
    }

    /// Starts a server that only the caller uses, with the data on `disk` and further arguments on the server's command line.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_on(disk: &SmallDisk, arguments: &[&str]) -> Result<Self, Unavailable> {
        let arguments = arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect();
        let disk = Some(disk.clone());
        blocking(move || Self::start_at(disk, K::locate()?, arguments, Vec::new())).await
    }

    /// Starts a server that only the caller uses, with these environment variables for the server process alone. With `LD_PRELOAD` and a
    /// library that fakes the time, the server has its own clock.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_with_env(variables: Vec<(OsString, OsString)>) -> Result<Self, Unavailable> {
        blocking(move || Self::start_blocking(Vec::new(), variables)).await
    }

    /// The server that all tests of this process share. The first call starts the server. Each test must use its own database, and no test
    /// may stop the server.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn shared() -> Result<&'static Self, Unavailable> {
        // Not an async cell: each test has its own async runtime, and the runtime of the first test may end before the second test asks.
        blocking(|| {
            K::shared_slot()
                .get_or_init(|| Self::start_blocking(Vec::new(), Vec::new()))
                .as_ref()
        })
        .await
        .map_err(Clone::clone)
    }

    fn start_blocking(
        arguments: Vec<String>,
        variables: Vec<(OsString, OsString)>,
    ) -> Result<Self, Unavailable> {
        Self::start_as(K::locate()?, arguments, variables)
    }
}

impl<K: Kind> Server<K> {
    /// Starts a server of this kind. Blocks the thread.
    pub(super) fn start_as(
        kind: K,
        arguments: Vec<String>,
        variables: Vec<(OsString, OsString)>,
    ) -> Result<Self, Unavailable> {
        Self::start_at(None, kind, arguments, variables)
    }

    fn start_at(
        disk: Option<SmallDisk>,
        kind: K,
        arguments: Vec<String>,
        variables: Vec<(OsString, OsString)>,
    ) -> Result<Self, Unavailable> {
        let account = Account::to_run_as(K::ACCOUNT).map_err(K::unavailable)?;
        Self::start_in(disk, kind, account, arguments, variables)
            .map_err(|error| K::unavailable(error.to_string()))
    }

    fn start_in(
        disk: Option<SmallDisk>,
        kind: K,
        account: Option<Account>,
        arguments: Vec<String>,
        variables: Vec<(OsString, OsString)>,
    ) -> io::Result<Self> {
        let place = match &disk {
            Some(disk) => disk.directory().to_owned(),
            None if K::IN_MEMORY => memory::directory().unwrap_or_else(std::env::temp_dir),
            None => std::env::temp_dir(),
        };
        let directory = tempfile::Builder::new()
            .prefix("shedlock-server-")
            .tempdir_in(place)?;
        if let Some(account) = &account {
            account.own(directory.path())?;
        }
        let port = ports::free_port()?;
        let site = Site {
            directory: directory.path().to_owned(),
            port,
            account,
            arguments,
            variables,
        };
        kind.initialize(&site)?;
        let keeper = Keeper::new(
            &site.directory,
            site.account.as_ref(),
            &Self::command(&kind, &site),
        )?;
        // From now on the shell removes the directory, even if this process is killed.
        let _path = directory.keep();
        let server = Self {
            kind,
            site,
            keeper: Arc::new(Mutex::new(keeper)),
            _disk: disk,
        };
        server.start_again()?;
        server.kind.provision(&server.site)?;
        Ok(server)
    }

    /// The server's command line, with its environment variables first, so that the shell that starts the server does not get the
    /// variables.
    fn command(kind: &K, site: &Site) -> Vec<OsString> {
        let mut command = Vec::new();
        if !site.variables.is_empty() {
            command.push("env".into());
        }
        for (name, value) in &site.variables {
            let mut variable = name.clone();
            variable.push("=");
            variable.push(value);
            command.push(variable);
        }
        command.extend(kind.command(site));
        command
    }

    /// Starts the process and waits until the server answers.
    pub(super) fn start_again(&self) -> io::Result<()> {
        let mut keeper = self.keeper();
        keeper.start()?;
        let deadline = Instant::now() + START_TIMEOUT;
        while !self.kind.is_ready(&self.site) {
            if !keeper.is_running() || Instant::now() > deadline {
                keeper.kill()?;
                let log = tools::tail(&self.site.directory.join("server.log"));
                return Err(io::Error::other(format!("it did not start: {log}")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}
