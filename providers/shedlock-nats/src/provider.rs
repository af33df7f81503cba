//! The provider for NATS: the compare-and-swap provider of `shedlock-runtime` over a bucket.

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
/// Each write succeeds only if the record has not changed since it was read. The end of a lease is judged by the UTC clocks of the
/// nodes, so these clocks must agree. Clones of a provider share one connection.
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
    /// Creates a provider on the caller's client, with ShedLock's default bucket `shedlock-locks`.
    ///
    /// The settings of the client stay as they are. If the server forbids a request, only the client's `event_callback` gets to know this:
    /// to the provider, the request has no answer. A provider from [`connect`](Self::connect) returns the refusal as an error.
    #[must_use]
    pub fn new(client: Client) -> Self {
        options::defaults(client)
    }

    /// Creates a provider with its own connection, and opens the connection. The provider replaces a connection that is broken.
    ///
    /// The URL may name several servers, separated by commas. The other servers of the cluster are discovered.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) if the URL is not valid or the login is refused;
    /// [`ErrorKind::Unavailable`](shedlock_runtime::ErrorKind::Unavailable) if no server can be reached. A missing bucket is not an error
    /// of this call.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, no connection stays open.
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

    /// Creates the bucket if it does not exist: in files, with one entry for each key, and with as many replicas as the builder sets. An
    /// existing bucket is left unchanged.
    ///
    /// # Errors
    ///
    /// The user may not create streams, the cluster has fewer servers than the number of replicas, or NATS cannot be reached.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, the bucket may or may not have been created. The call can be repeated.
    pub async fn ensure_bucket(&self) -> Result<(), LockError> {
        let made = self.bucket().ensure().await;
        made.map_err(|error| error.with_context(Operation::EnsureSchema, PROVIDER, None))
    }

    /// Checks the bucket's options, and reports reasons why locks may be lost: storage in memory, one replica, or a limit on the age of
    /// records.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`](shedlock_runtime::ErrorKind::Schema) if locks cannot work with the bucket's options; the message names all
    /// such options. Any other error means that NATS could not be asked.
    ///
    /// # Cancel safety
    ///
    /// The call changes nothing, so it may be dropped at any time.
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

    async fn forget_claims(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        self.locks.forget_claims(prefix, unused_for).await
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
