//! The provider for object stores: the compare-and-swap provider of `shedlock-runtime` over the objects of a bucket.

use std::time::Duration;

use async_trait::async_trait;
use shedlock_runtime::{
    AcquireRequest, Acquisition, Lease, LockError, LockInfo, LockName, LockProvider, LockRecords,
    Operation, Overrule, Ownership, ProviderInfo, RecordLockProvider, Selection,
};

use crate::options::{self, ObjectStoreLockProviderBuilder, PROVIDER};
use crate::probe::StoreReport;
use crate::protocol::Bucket;
use crate::store::Objects;

/// Keeps locks in a bucket of S3 or Google Cloud Storage, or in a container of Azure Blob Storage.
///
/// Each write succeeds only if the object has not changed since it was read. The end of a lease is judged by the UTC clocks of the
/// nodes, so these clocks must agree. Clones of a provider share one client.
///
/// # Examples
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use shedlock_object_store::ObjectStoreLockProvider;
/// use shedlock_runtime::{LockConfiguration, LockProviderExt as _};
///
/// // Credentials and region come from the environment.
/// let provider = ObjectStoreLockProvider::connect("s3://app-locks").await?;
/// if let Some(lock) = provider.try_lock(LockConfiguration::new("mail", "5m")?).await? {
///     lock.unlock().await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ObjectStoreLockProvider {
    pub(crate) locks: RecordLockProvider<Objects>,
}

impl ObjectStoreLockProvider {
    /// Creates a provider on the caller's client, with ShedLock's default keys.
    ///
    /// Call [`check_store`](Self::check_store) before the first lock: in a store that ignores conditions, every node is granted every lock.
    /// The client's retries count towards the time limit of a call, so give the client few.
    #[must_use]
    pub fn new(bucket: impl Into<Bucket>) -> Self {
        options::defaults(bucket.into())
    }

    /// Creates a provider with a client of its own, and [checks the store](Self::check_store).
    ///
    /// The URL is `s3://bucket`, `gs://bucket` or `az://container`. A path in the URL is what the keys of the locks begin with. The credentials
    /// and all other settings come from the environment, by the names that [`object_store`] reads, such as `AWS_REGION`. The URL's query
    /// may set them as well, as in `?region=eu-central-1&endpoint=https://store:8333`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) if the URL and the environment make no client, or if the
    /// credentials are refused; the errors of [`check_store`](Self::check_store).
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, the object of the check may stay in the bucket.
    pub async fn connect(url: &str) -> Result<Self, LockError> {
        Self::builder_from_url(url).connect().await
    }

    /// Options for a provider on the caller's client.
    pub fn builder(bucket: impl Into<Bucket>) -> ObjectStoreLockProviderBuilder {
        ObjectStoreLockProviderBuilder::from_bucket(bucket.into())
    }

    /// Options for a provider with a client of its own.
    pub fn builder_from_url(url: &str) -> ObjectStoreLockProviderBuilder {
        ObjectStoreLockProviderBuilder::from_url(url)
    }

    /// Checks that the store keeps the conditions of writes, and reports a clock that differs from this node's.
    ///
    /// The check creates an object whose key begins with the prefix and `%probe-`, writes it against its conditions, and deletes it. The
    /// check finds a store that ignores conditions. It does not find a store that keeps them except when several nodes write at the same
    /// moment.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`](shedlock_runtime::ErrorKind::Unsupported) if no lock is safe in the store;
    /// [`ErrorKind::Schema`](shedlock_runtime::ErrorKind::Schema) if the bucket does not exist;
    /// [`ErrorKind::Permission`](shedlock_runtime::ErrorKind::Permission) if a right is missing. Any other error means that the store could
    /// not be asked.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, its object may stay in the bucket. No lock is touched.
    pub async fn check_store(&self) -> Result<StoreReport, LockError> {
        let report = self.check().await;
        report.map_err(|error| error.with_context(Operation::CheckSchema, PROVIDER, None))
    }

    pub(crate) async fn check(&self) -> Result<StoreReport, LockError> {
        self.locks.store().check(self.info().clock()).await
    }
}

#[async_trait]
impl LockProvider for ObjectStoreLockProvider {
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
impl LockRecords for ObjectStoreLockProvider {
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
