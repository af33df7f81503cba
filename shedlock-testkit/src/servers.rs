//! Real servers on free loopback ports, in temporary directories, that end with the test process.
//!
//! A server is started by a small shell that waits on a pipe from this process. The pipe closes when the server is dropped,
//! when the process ends and when the process is killed: the shell then kills the server and removes its directory.
//!
//! ```no_run
//! use shedlock_testkit::server_or_skip;
//! use shedlock_testkit::servers::Postgres;
//!
//! # async fn test() {
//! // One server for all tests of this process, a database for each.
//! let shared = server_or_skip!(Postgres::shared().await);
//! let url = shared.fresh_database().await;
//!
//! // A server of one's own, to be mistreated.
//! let own = server_or_skip!(Postgres::start().await);
//! own.pause().await.unwrap();
//! own.resume().await.unwrap();
//! own.kill().await.unwrap();
//! own.restart().await.unwrap();
//! # }
//! ```
//!
//! A new kind of server is one file: an implementation of [`Kind`].

mod account;
mod keeper;
mod kind;
pub mod mariadb;
pub mod postgres;
mod process_tree;
mod tools;

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use rustix::process::Signal;

use self::account::Account;
use self::keeper::Keeper;
pub use self::kind::{Kind, Site};
pub use self::mariadb::MariaDb;
pub use self::postgres::Postgres;
pub use crate::unavailable::Unavailable;

/// A server that does not answer within this time after its start is given up.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A running server of kind `K`. Dropped, it is killed and its directory removed.
///
/// Clones are handles of the same server.
#[derive(Debug, Clone)]
pub struct Server<K> {
    kind: K,
    site: Site,
    keeper: Arc<Mutex<Keeper>>,
}

impl<K: Kind> Server<K> {
    /// Starts a server of the caller's own.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when a program is missing, or does not do its work; it says which, and what installs it.
    pub async fn start() -> Result<Self, Unavailable> {
        Self::start_with(&[]).await
    }

    /// Starts a server of the caller's own with further arguments on its command line.
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

    /// Starts a server of the caller's own with these environment variables, which nothing else of it sees: with
    /// `LD_PRELOAD` among them, the server alone lives in another time.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_with_env(variables: Vec<(OsString, OsString)>) -> Result<Self, Unavailable> {
        blocking(move || Self::start_blocking(Vec::new(), variables)).await
    }

    /// The server that all tests of this process share, started by the first to ask. Give each test a
    /// database of its own, and never stop it.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn shared() -> Result<&'static Self, Unavailable> {
        // Not an async cell: each test has a runtime of its own, and the first one may be gone before the second asks.
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
        let kind = K::locate()?;
        let account = Account::to_run_as(K::ACCOUNT).map_err(K::unavailable)?;
        Self::start_in(kind, account, arguments, variables)
            .map_err(|error| K::unavailable(error.to_string()))
    }

    fn start_in(
        kind: K,
        account: Option<Account>,
        arguments: Vec<String>,
        variables: Vec<(OsString, OsString)>,
    ) -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("shedlock-server-")
            .tempdir()?;
        if let Some(account) = &account {
            account.own(directory.path())?;
        }
        let port = tools::free_port()?;
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
        // From here on the shell removes it, which also works when this process is killed.
        let _path = directory.keep();
        let server = Self {
            kind,
            site,
            keeper: Arc::new(Mutex::new(keeper)),
        };
        server.start_again()?;
        server.kind.furnish(&server.site)?;
        Ok(server)
    }

    /// The server's command line, with its variables before it: the shell that starts it is to go without them.
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

    /// Starts the process and waits until it answers.
    fn start_again(&self) -> io::Result<()> {
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

    /// The loopback port the server listens on, the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.site.port
    }

    /// The address the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.site.port).into()
    }

    /// The server's process id, `None` when it is stopped.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.keeper()
            .pid()
            .and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok())
    }

    /// Stops the server in good order and waits until it is gone.
    ///
    /// # Errors
    ///
    /// When signals cannot be sent.
    pub async fn stop(&self) -> io::Result<()> {
        self.blocking(|server| server.keeper().stop(K::STOP_SIGNAL))
            .await
    }

    /// Kills the server and its children at once (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    ///
    /// When signals cannot be sent.
    pub async fn kill(&self) -> io::Result<()> {
        self.blocking(|server| server.keeper().kill()).await
    }

    /// Starts the server again on its port and its data, after stopping it if it runs; returns when it answers.
    ///
    /// # Errors
    ///
    /// When the server does not come up; the error ends with the last lines of its log.
    pub async fn restart(&self) -> io::Result<()> {
        self.blocking(|server| {
            server.keeper().stop(K::STOP_SIGNAL)?;
            server.start_again()
        })
        .await
    }

    /// Stops all processes of the server where they stand (SIGSTOP): connections stay open and nothing answers.
    ///
    /// # Errors
    ///
    /// When the server does not run.
    pub async fn pause(&self) -> io::Result<()> {
        self.blocking(|server| server.keeper().pause()).await
    }

    /// Lets a paused server go on (SIGCONT).
    ///
    /// # Errors
    ///
    /// When the server does not run.
    pub async fn resume(&self) -> io::Result<()> {
        self.blocking(|server| server.keeper().resume()).await
    }

    /// What the server has logged, for a message.
    #[must_use]
    pub fn log(&self) -> String {
        tools::tail(&self.site.directory.join("server.log"))
    }

    /// The machinery, for the file of a kind.
    #[must_use]
    pub fn kind(&self) -> &K {
        &self.kind
    }

    /// Where the server lives.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        let server = self.clone();
        blocking(move || work(&server)).await
    }

    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        // A test that panicked elsewhere does not change what the keeper knows.
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `work` beside the runtime and passes its panic on.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => panic!("the runtime ended while a server was in use: {error}"),
        },
    }
}

/// The database that a URL names.
fn database_of(url: &str) -> &str {
    let path = url.rsplit_once('/').map_or(url, |(_, path)| path);
    path.split_once('?').map_or(path, |(name, _)| name)
}
