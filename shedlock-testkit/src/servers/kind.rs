//! The seam for another kind of server.

use std::ffi::OsString;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::account::Account;
use super::{Server, Signal};
use crate::unavailable::Unavailable;

/// What is peculiar to one kind of server; [`Server`] does everything else. Its methods may block.
pub trait Kind: Debug + Clone + Send + Sync + Sized + 'static {
    /// What people call it: `PostgreSQL`.
    const NAME: &'static str;
    /// The account it runs as when the tests run as root.
    const ACCOUNT: &'static str;
    /// The signal that makes it end in good order, soon.
    const STOP_SIGNAL: Signal;

    /// An [`Unavailable`] of this kind with this reason.
    fn unavailable(reason: String) -> Unavailable;

    /// Makes the server's data directory in `site`. Once, before the first start.
    ///
    /// # Errors
    ///
    /// Whatever went wrong.
    fn initialize(&self, site: &Site) -> io::Result<()>;

    /// The command line that runs the server in the foreground.
    fn command(&self, site: &Site) -> Vec<OsString>;

    /// Whether the server answers, and is the one of `site`: another one may have taken the port.
    fn is_ready(&self, site: &Site) -> bool;

    /// Creates users and databases. Once, after the first start.
    ///
    /// # Errors
    ///
    /// Whatever went wrong.
    fn furnish(&self, site: &Site) -> io::Result<()>;
}

/// A kind of server that is there for itself, unlike one that stands before another or copies it.
pub trait Standalone: Kind {
    /// Finds the programs.
    ///
    /// # Errors
    ///
    /// What is missing, and the command that installs it.
    fn locate() -> Result<Self, Unavailable>;

    /// Where the server shared by all tests of this process is kept.
    fn shared_slot() -> &'static OnceLock<Result<Server<Self>, Unavailable>>;
}

/// Where one server lives.
#[derive(Debug, Clone)]
pub struct Site {
    pub(super) directory: PathBuf,
    pub(super) port: u16,
    pub(super) account: Option<Account>,
    pub(super) arguments: Vec<String>,
    pub(super) variables: Vec<(OsString, OsString)>,
}

impl Site {
    /// The directory that belongs to this server alone, and is its working directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The loopback port the server listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the test wants on the command line beyond the usual.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Writes a file that the server may change.
    pub(super) fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        std::fs::write(path, text)?;
        match &self.account {
            Some(account) => account.own(path),
            None => Ok(()),
        }
    }
}
