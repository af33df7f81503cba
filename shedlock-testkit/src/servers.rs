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
//! A new kind of server is one file: an implementation of [`Kind`], and of [`Standalone`] if it needs no other server.

mod account;
mod backend;
pub mod galera;
mod keeper;
mod kind;
pub mod mariadb;
pub mod nats;
pub mod pgbouncer;
pub mod postgres;
mod process_tree;
pub mod redis;
mod replica;
mod small_disk;
mod start;
mod tools;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use rustix::process::Signal;

pub use self::galera::Galera;
use self::keeper::Keeper;
pub use self::kind::{Kind, Site, Standalone};
pub use self::mariadb::MariaDb;
pub use self::nats::{Nats, NatsCluster};
pub use self::pgbouncer::{PgBouncer, PgBouncerOptions, PoolMode};
pub use self::postgres::Postgres;
pub use self::redis::Redis;
pub use self::small_disk::SmallDisk;
pub use crate::unavailable::Unavailable;

/// A running server of kind `K`, such as [`Postgres`]. Clones are handles of the same server. When the last handle is dropped, the server is
/// killed and its directory is removed.
///
/// # Examples
///
/// ```no_run
/// use shedlock_testkit::server_or_skip;
/// use shedlock_testkit::servers::MariaDb;
///
/// # async fn test() {
/// let server = server_or_skip!(MariaDb::start().await);
/// let url = server.fresh_database().await;
/// server.kill().await.unwrap();
/// server.restart().await.unwrap();
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Server<K> {
    kind: K,
    site: Site,
    keeper: Arc<Mutex<Keeper>>,
    /// Unmounted after the server has gone.
    _disk: Option<SmallDisk>,
}

impl<K: Kind> Server<K> {
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

    /// Stops the server by this signal, which may mean another kind of end to it than [`stop`](Self::stop)'s, such as SIGQUIT to
    /// PostgreSQL, and waits until it is gone.
    ///
    /// # Errors
    ///
    /// When signals cannot be sent.
    pub async fn stop_by(&self, signal: Signal) -> io::Result<()> {
        self.blocking(move |server| server.keeper().stop(signal))
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
