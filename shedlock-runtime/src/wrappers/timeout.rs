//! A time limit of a provider's own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::seam::answer::{Acquisition, Ownership};
use crate::seam::info::ProviderInfo;
use crate::seam::lease::Lease;
use crate::seam::provider::LockProvider;
use crate::seam::request::AcquireRequest;
use crate::values::duration::ToDuration;
use crate::values::error::LockError;
use crate::values::limit::{checked_limit, limited};

/// Gives up each call to a store that does not answer in time.
///
/// Every call is limited already, by [`LockConfiguration::with_timeout`](crate::LockConfiguration::with_timeout): five
/// seconds unless set otherwise. This wrapper lowers that limit for all locks of one provider, and for the background
/// releases as well; it cannot raise it.
///
/// The call is dropped and fails with [`ErrorKind::Timeout`](crate::ErrorKind::Timeout): the store may have carried it out all the same. A guard, the
/// executor and the attribute then give back what an acquisition may have been granted.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_runtime::testing::{Fault, FaultyProvider};
/// use shedlock_runtime::{
///     ErrorKind, InMemoryLockProvider, LockConfiguration, LockProviderExt as _, Operation, TimeoutLockProvider,
/// };
///
/// let store = FaultyProvider::new(InMemoryLockProvider::new());
/// let provider = TimeoutLockProvider::new(store.clone(), "2s")?;
///
/// store.next(Operation::Acquire, Fault::Hang);
/// let error = provider.try_lock(LockConfiguration::new("mail", "10m")?).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Timeout);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TimeoutLockProvider<P> {
    inner: Arc<P>,
    info: ProviderInfo,
    limit: Duration,
}

// Derived, it would ask for `P: Clone`.
impl<P> Clone for TimeoutLockProvider<P> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            info: self.info.clone(),
            limit: self.limit,
        }
    }
}

impl<P: LockProvider> TimeoutLockProvider<P> {
    /// Limits each call of `inner` to `limit`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidDuration`](crate::ErrorKind::InvalidDuration) for a duration that cannot be understood, is under a millisecond or over 36500 days.
    pub fn new(inner: P, limit: impl ToDuration) -> Result<Self, LockError> {
        Ok(Self {
            limit: checked_limit(limit)?,
            info: inner.info().shown_behind("timeout"),
            inner: Arc::new(inner),
        })
    }

    /// How long one call may take.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// The store behind it, without this limit.
    #[must_use]
    pub fn inner(&self) -> &P {
        &self.inner
    }
}

/// The provider's name with the wrappers around it, as [`ProviderInfo`] shows it.
impl<P: LockProvider> fmt::Display for TimeoutLockProvider<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.fmt(f)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<P: LockProvider> LockProvider for TimeoutLockProvider<P> {
    // The same locks, so the same provider.
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        limited(self.limit, self.inner.acquire(request)).await
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        limited(self.limit, self.inner.extend(lease, at_most)).await
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        limited(self.limit, self.inner.release(lease, keep_for)).await
    }
}
