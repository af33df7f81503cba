//! The traits for another kind of server.

use std::ffi::OsString;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::account::Account;
use super::{Server, Signal};
use crate::unavailable::Unavailable;

/// What is specific to one kind of server. [`Server`] does everything else. The methods may block the thread.
///
/// # Examples
///
/// ```no_run
/// use std::ffi::OsString;
/// use std::io;
/// use std::net::TcpStream;
///
/// use shedlock_testkit::servers::{Kind, Signal, Site, Unavailable};
///
/// #[derive(Debug, Clone)]
/// struct Redis;
///
/// impl Kind for Redis {
///     const NAME: &'static str = "Redis";
///     const ACCOUNT: &'static str = "redis";
///     const STOP_SIGNAL: Signal = Signal::TERM;
///
///     fn unavailable(reason: String) -> Unavailable {
///         Unavailable::installable(Self::NAME, reason, "apt-get install -y redis-server")
///     }
///
///     fn initialize(&self, _site: &Site) -> io::Result<()> {
///         Ok(())
///     }
///
///     fn command(&self, site: &Site) -> Vec<OsString> {
///         vec!["redis-server".into(), "--port".into(), site.port().to_string().into()]
///     }
///
///     fn is_ready(&self, site: &Site) -> bool {
///         TcpStream::connect(("127.0.0.1", site.port())).is_ok()
///     }
///
///     fn provision(&self, _site: &Site) -> io::Result<()> {
///         Ok(())
///     }
/// }
/// ```
pub trait Kind: Debug + Clone + Send + Sync + Sized + 'static {
    /// The name of the server, such as `PostgreSQL`.
    const NAME: &'static str;
    /// The account that the server runs as if the tests run as root.
    const ACCOUNT: &'static str;
    /// The signal that shuts the server down in good order without waiting for its clients to disconnect.
    const STOP_SIGNAL: Signal;
    /// Whether the directory of the server is in memory where the machine has memory to spare, unless `TMPDIR` says where it is to be. For a
    /// server that makes and removes thousands of small files, which costs a disk's file system more than the server itself.
    const IN_MEMORY: bool = false;

    /// The error for a server of this kind that is not available for `reason`.
    fn unavailable(reason: String) -> Unavailable;

    /// Creates the data directory of the server in `site`. Called once, before the first start.
    ///
    /// # Errors
    ///
    /// If the data directory cannot be created.
    fn initialize(&self, site: &Site) -> io::Result<()>;

    /// The command line that runs the server in the foreground.
    fn command(&self, site: &Site) -> Vec<OsString>;

    /// Whether the server answers. Must return false if another server has taken the port of `site`.
    fn is_ready(&self, site: &Site) -> bool;

    /// Creates users and databases. Called once, after the first start.
    ///
    /// # Errors
    ///
    /// If a user or a database cannot be created.
    fn provision(&self, site: &Site) -> io::Result<()>;
}

/// A kind of server that needs no other server, unlike a pooler or a replica.
///
/// # Examples
///
/// ```no_run
/// use shedlock_testkit::servers::{Server, Standalone, Unavailable};
///
/// /// Works for every such kind: `Server::<MyKind>::shared()`.
/// async fn port<K: Standalone>() -> Result<u16, Unavailable> {
///     Ok(Server::<K>::shared().await?.port())
/// }
/// ```
pub trait Standalone: Kind {
    /// Finds the programs of the server on this machine, and returns the kind with their paths.
    ///
    /// # Errors
    ///
    /// If a program is missing. The error contains the command that installs the program.
    fn locate() -> Result<Self, Unavailable>;

    /// The static variable for the server that all tests of this process share.
    fn shared_slot() -> &'static OnceLock<Result<Server<Self>, Unavailable>>;
}

/// The directory and the port of one server.
///
/// See [`Kind`] for an example.
#[derive(Debug, Clone)]
pub struct Site {
    pub(super) directory: PathBuf,
    pub(super) port: u16,
    pub(super) account: Option<Account>,
    pub(super) arguments: Vec<String>,
    pub(super) variables: Vec<(OsString, OsString)>,
}

impl Site {
    /// The directory of this server, which is also the working directory of the server process.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The loopback port on which the server listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The additional command-line arguments from the test.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Lists files that the server makes outside its directory, so that they are removed together with the directory.
    pub(super) fn write_leftovers(&self, files: &[PathBuf]) -> io::Result<()> {
        let mut lines = String::new();
        for file in files {
            lines.push_str(&file.to_string_lossy());
            lines.push('\n');
        }
        self.write(&self.directory.join("leftovers"), &lines)
    }

    /// Writes a file that the account of the server may change.
    pub(super) fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        std::fs::write(path, text)?;
        match &self.account {
            Some(account) => account.own(path),
            None => Ok(()),
        }
    }
}
