//! The provider for ZooKeeper: the compare-and-swap provider of `shedlock-runtime` over the nodes below one path.

use std::time::Duration;

use async_trait::async_trait;
use shedlock_runtime::{
    AcquireRequest, Acquisition, Lease, LockError, LockInfo, LockName, LockProvider, LockRecords,
    Overrule, Ownership, ProviderInfo, RecordLockProvider, Selection,
};
use zookeeper_client::{Client, Connector};

use crate::options::{self, ZooKeeperLockProviderBuilder};
use crate::tree::Tree;

/// Keeps locks in nodes of Apache ZooKeeper.
///
/// Each write succeeds only if the nodes of the lock have not changed since they were read. The nodes are persistent: no lock depends on a
/// session. The end of a lease is judged by the UTC clocks of the nodes of the fleet, so these clocks must agree. Clones of a provider share
/// one session.
///
/// # Examples
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use shedlock_runtime::{LockConfiguration, LockProviderExt as _};
/// use shedlock_zookeeper::ZooKeeperLockProvider;
///
/// let provider = ZooKeeperLockProvider::connect("zookeeper://zk-1:2181,zk-2:2181,zk-3:2181").await?;
/// if let Some(lock) = provider.try_lock(LockConfiguration::new("mail", "5m")?).await? {
///     lock.unlock().await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ZooKeeperLockProvider {
    pub(crate) locks: RecordLockProvider<Tree>,
}

impl ZooKeeperLockProvider {
    /// Creates a provider on the caller's client, with ShedLock's default path `/shedlock`.
    ///
    /// A client works until its session expires, and then never again. A provider from [`connect`](Self::connect) or
    /// [`builder_from_connector`](Self::builder_from_connector) opens a new session then.
    #[must_use]
    pub fn new(client: Client) -> Self {
        options::defaults(client)
    }

    /// Creates a provider with its own session, and opens the session. The provider replaces a session that has expired or says nothing.
    ///
    /// The URL has the form `zookeeper://user:password@host:2181,host:2181/path`. The user logs in with the scheme `digest`. The path is
    /// the root for this client, and must exist.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) if the URL is not valid;
    /// [`ErrorKind::Unavailable`](shedlock_runtime::ErrorKind::Unavailable) if no server can be reached. A wrong password is no error of
    /// this call: ZooKeeper takes each login, and then refuses what its ACLs do not permit to it.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, no connection stays open.
    pub async fn connect(url: &str) -> Result<Self, LockError> {
        Self::builder_from_url(url).connect().await
    }

    /// Options for a provider on the caller's client.
    pub fn builder(client: Client) -> ZooKeeperLockProviderBuilder {
        ZooKeeperLockProviderBuilder::from_client(client)
    }

    /// Options for a provider with a session of its own.
    pub fn builder_from_url(url: &str) -> ZooKeeperLockProviderBuilder {
        ZooKeeperLockProviderBuilder::from_url(url)
    }

    /// Options for a provider with sessions of its own that `connector` opens: for TLS, SASL and other timeouts. `servers` is the connection
    /// string of the client, such as `tcp+tls://host:2281,host:2181/path`.
    ///
    /// With [`Connector::with_fail_eagerly`], a call in which no server can be reached fails at once, and not at its time limit.
    pub fn builder_from_connector(
        connector: Connector,
        servers: &str,
    ) -> ZooKeeperLockProviderBuilder {
        ZooKeeperLockProviderBuilder::from_connector(connector, servers)
    }
}

#[async_trait]
impl LockProvider for ZooKeeperLockProvider {
    fn info(&self) -> &ProviderInfo {
        self.locks.info()
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        self.locks.acquire(request).await
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        self.locks.extend(lease, at_most).await
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        self.locks.release(lease, keep_for).await
    }

    async fn forget_claims(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        self.locks.forget_claims(prefix, unused_for).await
    }
}

#[async_trait]
impl LockRecords for ZooKeeperLockProvider {
    async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        self.locks.records(selection).await
    }

    async fn overrule(&self, name: &LockName, overrule: &Overrule<'_>) -> Result<bool, LockError> {
        self.locks.overrule(name, overrule).await
    }

    async fn forget(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        self.locks.forget(prefix, unused_for).await
    }
}
