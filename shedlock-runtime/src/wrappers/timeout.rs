//! A time limit for all calls of one provider.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::seam::answer::{Acquisition, Ownership};
use crate::seam::history::RunHistory;
use crate::seam::info::ProviderInfo;
use crate::seam::lease::Lease;
use crate::seam::provider::LockProvider;
use crate::seam::request::AcquireRequest;
use crate::values::duration::ToDuration;
use crate::values::error::LockError;
use crate::values::limit::{checked_limit, limited};

/// A wrapper that limits how long each call to the provider behind it may take.
///
/// A call that takes longer is dropped and fails with [`ErrorKind::Timeout`](crate::ErrorKind::Timeout).
///
/// # Notes
///
/// - The runtime limits every call already, by [`LockConfiguration::with_timeout`](crate::LockConfiguration::with_timeout): five seconds by
///   default. This wrapper lowers the limit for all locks of one provider, and for background releases. It cannot raise the limit.
/// - The store may carry out a call that was given up. A guard, the executor and the attribute look for a lock that was granted in this way,
///   and release it.
/// - The wrapper has the [`ProviderInfo`] of the provider behind it, because its locks are the same.
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
///
/// The order of wrappers matters. The limit counts for the calls that pass through this wrapper, and a wrapper behind it makes calls that do
/// not:
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// use std::time::Duration;
///
/// use shedlock_runtime::testing::{Fault, FaultyProvider};
/// use shedlock_runtime::{
///     InMemoryLockProvider, LockConfiguration, LockProviderExt as _, Operation, TimeoutLockProvider, TrackingLockProvider,
/// };
/// use tokio::time::Instant;
///
/// let store = FaultyProvider::new(InMemoryLockProvider::new());
///
/// // Right: `release_all` asks through the limit, and returns after two seconds if the store hangs.
/// let right = TrackingLockProvider::new(TimeoutLockProvider::new(store.clone(), "2s")?);
/// let mut lock = right.try_lock(LockConfiguration::new("right", "10m")?).await?.expect("the lock is free");
/// lock.release_on_drop(false);
/// store.next(Operation::Release, Fault::Hang);
/// let began = Instant::now();
/// assert_eq!(right.release_all().await.failed.len(), 1);
/// assert_eq!(began.elapsed().as_secs(), 2);
///
/// // Wrong: `release_all` asks the store itself, with the default limit of five seconds.
/// let wrong = TimeoutLockProvider::new(TrackingLockProvider::new(store.clone()), "2s")?;
/// let mut lock = wrong.try_lock(LockConfiguration::new("wrong", "10m")?).await?.expect("the lock is free");
/// lock.release_on_drop(false);
/// store.next(Operation::Release, Fault::Hang);
/// let began = Instant::now();
/// assert_eq!(wrong.inner().release_all().await.failed.len(), 1);
/// assert_eq!(began.elapsed().as_secs(), 5);
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
    /// Wraps `inner`, and limits each call to `limit`.
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

    async fn forget_claims(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        limited(self.limit, self.inner.forget_claims(prefix, unused_for)).await
    }

    fn run_history(&self) -> Option<&dyn RunHistory> {
        self.inner.run_history().map(|_| self as _)
    }
}
