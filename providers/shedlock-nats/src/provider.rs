//! The provider: the runtime's compare-and-swap provider over a bucket.

use std::time::Duration;

use async_nats::Client;
use async_trait::async_trait;
use shedlock_runtime::{
    AcquireRequest, Acquisition, Lease, LockError, LockInfo, LockName, LockProvider, LockRecords,
    Operation, Overrule, Ownership, ProviderInfo, RecordLockProvider, Selection,
};

use crate::bucket::BucketReport;
use crate::options::{self, NatsLockProviderBuilder, PROVIDER};
use crate::store::Bucket;

/// Keeps locks in a key-value bucket of NATS JetStream.
///
/// Each write is on condition that nobody has written since the record was read. A lease ends by the clocks of the nodes, which must
/// agree. A clone shares the connection.
///
/// # Examples
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use shedlock_nats::NatsLockProvider;
/// use shedlock_runtime::{LockConfiguration, LockProviderExt as _};
///
/// let provider = NatsLockProvider::connect("nats://nats-1:4222,nats-2:4222").await?;
/// provider.ensure_bucket().await?;
/// if let Some(lock) = provider.try_lock(LockConfiguration::new("mail", "5m")?).await? {
///     lock.unlock().await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct NatsLockProvider {
    pub(crate) locks: RecordLockProvider<Bucket>,
}

impl NatsLockProvider {
    /// A provider on the caller's client, with ShedLock's bucket.
    ///
    /// The client's settings hold. What the server forbids the client's user is told to the client's `event_callback` alone, and
    /// looks like no answer here; [`connect`](Self::connect) tells it.
    #[must_use]
    pub fn new(client: Client) -> Self {
        options::defaults(client)
    }

    /// A provider with a connection of its own, which replaces itself.
    ///
    /// The URL may name several servers, with commas between them. The other servers of their cluster are found.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) for a URL that is not valid or a login that is refused;
    /// [`ErrorKind::Unavailable`](shedlock_runtime::ErrorKind::Unavailable) if no server can be reached. That the bucket is missing is no
    /// error yet.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has connected to nothing that stays.
    pub async fn connect(url: &str) -> Result<Self, LockError> {
        Self::builder_from_url(url).connect().await
    }

    /// Options for a provider on the caller's client.
    pub fn builder(client: Client) -> NatsLockProviderBuilder {
        NatsLockProviderBuilder::from_client(client)
    }

    /// Options for a provider with a connection of its own.
    pub fn builder_from_url(url: &str) -> NatsLockProviderBuilder {
        NatsLockProviderBuilder::from_url(url)
    }

    /// Creates the bucket if it is not there: in files, with one entry for each key, and as many replicas as the builder says. A bucket
    /// that is there is left as it is.
    ///
    /// # Errors
    ///
    /// The user may not create streams, the cluster has fewer servers than replicas are asked for, or NATS cannot be reached.
    ///
    /// # Cancel safety
    ///
    /// The bucket is made or not; the call can be made again.
    pub async fn ensure_bucket(&self) -> Result<(), LockError> {
        let made = self.bucket().ensure().await;
        made.map_err(|error| error.with_context(Operation::EnsureSchema, PROVIDER, None))
    }

    /// Looks at the bucket's options, and reports what may be lost: storage in memory, one replica, records that the bucket forgets.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`](shedlock_runtime::ErrorKind::Schema) with everything that hinders locks. Otherwise NATS could not be asked.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed in any case.
    pub async fn check_bucket(&self) -> Result<BucketReport, LockError> {
        let report = self.bucket().check().await;
        report.map_err(|error| error.with_context(Operation::CheckSchema, PROVIDER, None))
    }

    pub(crate) fn bucket(&self) -> &Bucket {
        self.locks.store()
    }
}

#[async_trait]
impl LockProvider for NatsLockProvider {
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
}

#[async_trait]
impl LockRecords for NatsLockProvider {
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
