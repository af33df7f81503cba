//! The provider for etcd.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use reqwest::Client;
use shedlock_runtime::{
    AcquireRequest, Acquisition, Capabilities, Expiry, Fencing, Lease, LockError, LockProvider,
    LockRecords, Ownership, ProviderInfo,
};

use crate::change::Change;
use crate::gateway::Gateway;
use crate::keys::Keys;
use crate::options::EtcdLockProviderBuilder;
use crate::position::Beside;

/// The step in which etcd counts leases, and the shortest lease that etcd grants with its usual election timeout.
pub(crate) const GRAIN: Duration = Duration::from_secs(1);
const SHORTEST: Duration = Duration::from_secs(2);
/// The longest time for which a call waits for a member of the cluster that is not the last to be asked.
pub(crate) const PART: Duration = Duration::from_secs(1);

/// Keeps locks in etcd, under the keys and in the format of JVM nodes.
///
/// Clones of a provider share their connections.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_etcd::EtcdLockProvider;
/// use shedlock_runtime::{LockConfiguration, LockProviderExt as _};
///
/// let provider = EtcdLockProvider::connect("http://etcd-1:2379,http://etcd-2:2379").await?;
/// if let Some(lock) = provider.try_lock(LockConfiguration::new("mail", "5m")?).await? {
///     // work
///     lock.unlock().await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EtcdLockProvider {
    pub(crate) info: ProviderInfo,
    pub(crate) keys: Keys,
    pub(crate) gateway: Arc<Gateway>,
}

impl EtcdLockProvider {
    /// Creates a provider that sends its requests with `client`, to the members of the cluster at `url`. The keys are those that JVM nodes use
    /// by default.
    ///
    /// The settings of the client stay as they are, and with them its connections. To get a new connection where an old one may be broken
    /// without a sign, build the client with a `pool_idle_timeout` of a second.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) for a URL that is not valid.
    pub fn new(client: Client, url: &str) -> Result<Self, LockError> {
        Self::builder(client, url).build()
    }

    /// Creates a provider for the cluster at `url`, and asks it for a first answer. The URL may name several members, separated by commas.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) if the URL is not valid or the login is refused;
    /// [`ErrorKind::Unavailable`](shedlock_runtime::ErrorKind::Unavailable) if no member can be reached.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, no connection stays open.
    pub async fn connect(url: &str) -> Result<Self, LockError> {
        Self::builder_from_url(url).connect().await
    }

    /// Options for a provider that sends its requests with `client`, to the members of the cluster at `url`.
    pub fn builder(client: Client, url: &str) -> EtcdLockProviderBuilder {
        EtcdLockProviderBuilder::new(url, Some(client))
    }

    /// Options for a provider for the cluster at `url`, with HTTP clients of its own.
    pub fn builder_from_url(url: &str) -> EtcdLockProviderBuilder {
        EtcdLockProviderBuilder::new(url, None)
    }

    pub(crate) fn assemble(info: ProviderInfo, keys: Keys, gateway: Gateway) -> Self {
        let capabilities = Capabilities::new()
            .with_expiry(Expiry::ByStore)
            .with_grain(GRAIN)
            .with_shortest_lease(SHORTEST)
            .with_fencing(Fencing::Always)
            .without_free_records()
            .with_positions()
            .with_takeovers();
        Self {
            info: info.with_capabilities(capabilities),
            keys,
            gateway: Arc::new(gateway),
        }
    }

    /// Reads a key of the provider, so that the connection is open and the login accepted.
    pub(crate) async fn warm_up(&self) -> Result<(), LockError> {
        self.gateway
            .entry(self.keys.beginning(), PART)
            .await
            .map(drop)
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.info.clock().utc()
    }

    /// The time at which `length` from now is over.
    pub(crate) fn after(&self, length: Duration) -> SystemTime {
        let now = self.now();
        now.checked_add(length).unwrap_or(now)
    }
}

#[async_trait]
impl LockProvider for EtcdLockProvider {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let begun = |lease: &Lease| {
            let beside = lease.noted::<Beside>(&self.info);
            let begun = beside.filter(|beside| beside.is_begun);
            begun.map(|begun| begun.stored.position())
        };
        Ok(match self.take(request).await? {
            Acquisition::Granted(lease) => {
                let begun = begun(&lease);
                Acquisition::Granted(lease.at_position(begun))
            }
            refused @ Acquisition::Refused(_) => refused,
        })
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        let extension = Change::extension(lease.next_write()?, at_most);
        self.change(lease, &extension).await
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        let release = Change::release(lease, lease.release_write()?, keep_for);
        self.change(lease, &release).await
    }

    async fn forget_claims(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        LockRecords::forget(self, prefix, unused_for).await
    }
}

impl fmt::Debug for EtcdLockProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdLockProvider")
            .field("keys", &self.keys.beginning())
            .field("members", &self.gateway)
            .finish_non_exhaustive()
    }
}
