//! Real database servers for tests, on free loopback ports and in temporary directories. The servers end with the test process.
//!
//! A small shell process starts each server and waits on a pipe from the test process. The pipe closes when the server is dropped and when
//! the test process ends or is killed. The shell then kills the server and removes the server's directory.
//!
//! ```no_run
//! use shedlock_testkit::server_or_skip;
//! use shedlock_testkit::servers::Postgres;
//!
//! # async fn test() {
//! // One server for all tests of this process, and a database for each test.
//! let shared = server_or_skip!(Postgres::shared().await);
//! let url = shared.fresh_database().await;
//!
//! // A server that only this test uses, so the test may stop it.
//! let own = server_or_skip!(Postgres::start().await);
//! own.pause().await.unwrap();
//! own.resume().await.unwrap();
//! own.kill().await.unwrap();
//! own.restart().await.unwrap();
//! # }
//! ```
//!
//! To add a kind of server, implement [`Kind`], and [`Standalone`] if the server needs no other server.

mod account;
pub mod azurite;
mod backend;
mod cache;
pub mod dynamodb;
pub mod etcd;
pub mod galera;
mod http;
mod keeper;
mod kind;
pub mod mariadb;
pub mod memcached;
mod memory;
pub mod mongo;
pub mod nats;
pub mod pgbouncer;
mod ports;
pub mod postgres;
mod process_tree;
pub mod redis;
mod replica;
pub mod s3proxy;
pub mod seaweedfs;
mod small_disk;
mod start;
mod tools;
pub mod zookeeper;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use rustix::process::Signal;

pub use self::azurite::Azurite;
pub use self::dynamodb::{Dynalite, Dynoxide};
pub use self::etcd::{Etcd, EtcdCluster};
pub use self::galera::Galera;
use self::keeper::Keeper;
pub use self::kind::{Kind, Site, Standalone};
pub use self::mariadb::MariaDb;
pub use self::memcached::Memcached;
pub use self::mongo::Mongo;
pub use self::nats::{Nats, NatsCluster};
pub use self::pgbouncer::{PgBouncer, PgBouncerOptions, PoolMode};
pub use self::postgres::Postgres;
pub use self::redis::{Redis, RedisCluster, RedisSentinels};
pub use self::s3proxy::S3Proxy;
pub use self::seaweedfs::SeaweedFs;
pub use self::small_disk::SmallDisk;
pub use self::zookeeper::{ZooKeeper, ZooKeeperEnsemble};
pub use crate::unavailable::Unavailable;

/// A running server of kind `K`, such as [`Postgres`]. Clones are handles of the same server. When the last handle is dropped, the server
/// is killed and the server's directory is removed.
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
    /// The loopback port on which the server listens. The port is the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.site.port
    }

    /// The loopback address and port on which the server listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.site.port).into()
    }

    /// The process id of the server, or `None` if the server is stopped.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.keeper()
            .pid()
            .and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok())
    }

    /// Shuts the server down in good order and waits until the server has ended.
    ///
    /// # Errors
    ///
    /// If a signal cannot be sent.
    pub async fn stop(&self) -> io::Result<()> {
        self.blocking(|server| server.keeper().stop(K::STOP_SIGNAL))
            .await
    }

    /// Stops the server with this signal and waits until the server has ended. For some servers, the signal selects the kind of shutdown:
    /// PostgreSQL ends without a checkpoint after SIGQUIT.
    ///
    /// # Errors
    ///
    /// If a signal cannot be sent.
    pub async fn stop_by(&self, signal: Signal) -> io::Result<()> {
        self.blocking(move |server| server.keeper().stop(signal))
            .await
    }

    /// Kills the server and its child processes at once (SIGKILL) and waits until the server has ended.
    ///
    /// # Errors
    ///
    /// If a signal cannot be sent.
    pub async fn kill(&self) -> io::Result<()> {
        self.blocking(|server| server.keeper().kill()).await
    }

    /// Starts the server again on the same port and the same data, and returns when the server answers. A running server is stopped first.
    ///
    /// # Errors
    ///
    /// If the server does not start. The error ends with the last lines of the server's log.
    pub async fn restart(&self) -> io::Result<()> {
        self.blocking(|server| {
            server.keeper().stop(K::STOP_SIGNAL)?;
            server.start_again()
        })
        .await
    }

    /// Pauses all processes of the server (SIGSTOP): connections stay open and the server does not answer.
    ///
    /// # Errors
    ///
    /// If the server is not running.
    pub async fn pause(&self) -> io::Result<()> {
        self.blocking(|server| server.keeper().pause()).await
    }

    /// Resumes a paused server (SIGCONT).
    ///
    /// # Errors
    ///
    /// If the server is not running.
    pub async fn resume(&self) -> io::Result<()> {
        self.blocking(|server| server.keeper().resume()).await
    }

    /// The last lines of the server's log, for a message.
    #[must_use]
    pub fn log(&self) -> String {
        tools::tail(&self.site.directory.join("server.log"))
    }

    /// What is specific to this kind of server. For implementations of [`Kind`].
    #[must_use]
    pub fn kind(&self) -> &K {
        &self.kind
    }

    /// The directory and the port of the server.
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
