//! A provider over any store that compares and swaps.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::time::{lease_end, released_end};
use super::{LockRecord, RecordStore};
use crate::seam::answer::{Acquisition, Ownership};
use crate::seam::info::ProviderInfo;
use crate::seam::lease::Lease;
use crate::seam::provider::LockProvider;
use crate::seam::records::LockRecords as _;
use crate::seam::request::AcquireRequest;
use crate::values::error::LockError;
use crate::values::owner::Owner;

/// A [`LockProvider`] over any [`RecordStore`]. It implements [`LockRecords`](crate::LockRecords) as well, so operators can use
/// [`LockAdmin`](crate::LockAdmin).
///
/// An acquisition is a read and a conditional write. An extension and a release are one conditional write each: the lease stores the
/// version of its last write, and the record is read again only if somebody else has changed the record.
/// If a store returns its time of day with a read, the record is read before each extension and release, because the store's clock may
/// have been set meanwhile.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::testing::InMemoryRecordStore;
/// use shedlock_runtime::{LockConfiguration, LockProviderExt as _, ProviderInfo, RecordLockProvider};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// let provider = RecordLockProvider::new(ProviderInfo::new("bucket"), InMemoryRecordStore::new());
/// let lock = provider.try_lock(LockConfiguration::new("mail", "5m")?).await?.expect("the lock is free");
/// let record = provider.store().get("mail").expect("the store has a record");
/// assert_eq!(Some(record.fencing_token), lock.fencing_token());
/// # Ok(())
/// # }
/// ```
///
/// To use a store of your own, implement [`RecordStore`].
#[derive(Debug)]
pub struct RecordLockProvider<S> {
    pub(super) info: ProviderInfo,
    pub(super) store: Arc<S>,
}

// Not derived, because a derived `Clone` would require `S: Clone`.
impl<S> Clone for RecordLockProvider<S> {
    fn clone(&self) -> Self {
        Self {
            info: self.info.clone(),
            store: Arc::clone(&self.store),
        }
    }
}

impl<S: RecordStore> RecordLockProvider<S> {
    /// Creates a provider with the name, node, clock and capabilities of `info`, whose records are in `store`. Two providers that were
    /// created from the same `info` are different providers: a task that holds a lock of one does not hold the lock of the other.
    #[must_use]
    pub fn new(info: ProviderInfo, store: S) -> Self {
        Self {
            info: info.with_own_identity().with_takeovers(),
            store: Arc::new(store),
        }
    }

    /// The store that contains the records.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The fencing token of the last acquisition of the record's lock. In a store with revisions, the token is the revision of the write
    /// that took the lock, which only later writes can store in the record.
    pub(super) fn token(&self, record: &LockRecord, version: &S::Version) -> Option<u64> {
        let in_record = (record.fencing_token > 0).then_some(record.fencing_token);
        match self.store.revision(version) {
            Some(revision) if in_record.is_none() || !Owner::is_later_write(&record.locked_by) => {
                Some(revision)
            }
            _ => in_record,
        }
    }

    /// The finest step in which the store can represent times.
    pub(super) fn grain(&self) -> Duration {
        self.info.capabilities().grain()
    }
}

/// The provider's name with the wrappers around it, as [`ProviderInfo`] shows it.
impl<S: RecordStore> fmt::Display for RecordLockProvider<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.fmt(f)
    }
}

#[async_trait]
impl<S: RecordStore> LockProvider for RecordLockProvider<S> {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        self.take(request).await
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        let write = lease.next_write()?;
        let extended = self.change_own(lease, &write, |record, time| {
            if record.remaining(time.early()).is_zero() {
                return Ok(false);
            }
            record.lock_until = lease_end(time, at_most, self.grain())?;
            Ok(true)
        });
        extended.await
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        let write = lease.release_write()?;
        let released = self.change_own(lease, &write, |record, time| {
            record.lock_until = released_end(time, keep_for, self.grain())?;
            let is_released = Owner::is_release(&record.locked_by);
            if let Some(position) = &mut record.position {
                lease.settle(position, is_released);
            }
            Ok(true)
        });
        released.await
    }

    async fn forget_claims(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        self.forget(prefix, unused_for).await
    }
}
