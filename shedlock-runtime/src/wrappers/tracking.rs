//! Knowing which locks this process holds.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::task::JoinSet;

use crate::seam::answer::{Acquisition, Ownership};
use crate::seam::history::RunHistory;
use crate::seam::info::ProviderInfo;
use crate::seam::lease::Lease;
use crate::seam::provider::LockProvider;
use crate::seam::request::AcquireRequest;
use crate::values::config::DEFAULT_TIMEOUT;
use crate::values::error::{LockError, Operation};
use crate::values::limit::limited;

mod leases;
mod report;

use leases::Leases;
pub use report::{ReleasedLocks, TrackedLock};

/// How many locks are given back at the same time.
const MOST_AT_ONCE: usize = 1_024;

/// A wrapper that knows which locks were taken through it and its clones, and can release all of them.
///
/// # Notes
///
/// - A lock is known from its grant until the store confirms its release, the lock is found lost, or its lease has ended by this process's
///   forward clock. So the memory in use does not grow with the number of locks that were ever taken.
/// - To end a program, [`SchedulerLock::shutdown`](crate::SchedulerLock::shutdown) is better: it takes no new locks, and ends the running tasks
///   first. [`release_all`](Self::release_all) ends no tasks. It is for the locks of one provider in a program that goes on, and for leases that
///   were taken without a guard.
/// - Locks that were taken through the provider behind the wrapper are not known.
/// - The wrapper has the [`ProviderInfo`] of the provider behind it, because its locks are the same.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockProviderExt as _, TrackingLockProvider};
///
/// let provider = TrackingLockProvider::new(InMemoryLockProvider::new());
/// let lock = provider.try_lock(LockConfiguration::new("mail", "5m")?).await?;
/// for held in provider.held() {
///     println!("{} for another {:?}", held.name, held.remaining);
/// }
/// # assert_eq!(provider.held()[0].name.as_str(), "mail");
///
/// let report = provider.release_all().await;
/// assert_eq!((report.released, report.failed.len()), (1, 0));
/// assert!(provider.held().is_empty());
/// # drop(lock);
/// # Ok(())
/// # }
/// ```
///
/// The order of wrappers matters: put this wrapper around all others, so that it knows the locks by the program's names, and so that its
/// releases pass through the other wrappers.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_runtime::{
///     InMemoryLockProvider, LockConfiguration, LockProviderExt as _, NamespacedLockProvider, TrackingLockProvider,
/// };
///
/// let store = InMemoryLockProvider::new();
///
/// // Right: the name is the program's.
/// let right = TrackingLockProvider::new(NamespacedLockProvider::new(store.clone(), "staging")?);
/// let _lock = right.try_lock(LockConfiguration::new("mail", "5m")?).await?;
/// assert_eq!(right.held()[0].name.as_str(), "mail");
///
/// // Wrong: the name is the store's, which no other part of the program shows.
/// let wrong = NamespacedLockProvider::new(TrackingLockProvider::new(store), "staging")?;
/// let _lock = wrong.try_lock(LockConfiguration::new("sync", "5m")?).await?;
/// assert_eq!(wrong.inner().held()[0].name.as_str(), "staging/sync");
/// # Ok(())
/// # }
/// ```
pub struct TrackingLockProvider<P> {
    inner: Arc<P>,
    info: ProviderInfo,
    leases: Arc<Mutex<Leases>>,
}

// Derived, it would ask for `P: Clone`.
impl<P> Clone for TrackingLockProvider<P> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            info: self.info.clone(),
            leases: Arc::clone(&self.leases),
        }
    }
}

impl<P: LockProvider> fmt::Debug for TrackingLockProvider<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackingLockProvider")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<P: LockProvider> TrackingLockProvider<P> {
    /// Wraps `inner`. Locks that are taken through `inner` itself are not known.
    #[must_use]
    pub fn new(inner: P) -> Self {
        Self {
            info: inner.info().shown_behind("tracking"),
            inner: Arc::new(inner),
            leases: Arc::default(),
        }
    }

    /// The provider behind this wrapper.
    #[must_use]
    pub fn inner(&self) -> &P {
        &self.inner
    }

    /// The locks that this process holds at this moment, sorted by name.
    #[must_use]
    pub fn held(&self) -> Vec<TrackedLock> {
        let clock = self.inner.info().clock();
        let (now, utc) = (clock.boot(), clock.utc());
        let mut held: Vec<_> = self
            .leases()
            .live(now)
            .map(|tracked| TrackedLock {
                name: tracked.lease.name().clone(),
                since: utc
                    .checked_sub(now.saturating_since(tracked.lease.acquired()))
                    .unwrap_or(SystemTime::UNIX_EPOCH),
                remaining: tracked.ends.saturating_since(now),
                fencing_token: tracked.lease.fencing_token(),
            })
            .collect();
        held.sort_by(|a, b| a.name.cmp(&b.name).then(a.since.cmp(&b.since)));
        held
    }

    /// Releases every lock that this process holds, and returns how many releases succeeded. A lock stays taken for what is left of its
    /// `at_least`.
    ///
    /// The tasks that run under these locks go on, and may overlap with the tasks of other nodes, so stop them first. A task learns that its lock
    /// was released at its next extension, which fails without reaching the store, or at its end. A lock that is granted during the call is not
    /// released. Each call to the store is limited to five seconds. A lock whose release failed stays known, so the call can be repeated.
    ///
    /// # Panics
    ///
    /// If called outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, some locks are released; the others stay known and held.
    pub async fn release_all(&self) -> ReleasedLocks {
        let now = self.inner.info().clock().boot();
        let leases: Vec<_> = self
            .leases()
            .live(now)
            .map(|tracked| tracked.lease.clone())
            .collect();
        let mut report = ReleasedLocks::default();
        let mut at_work = JoinSet::new();
        for lease in leases {
            if at_work.len() >= MOST_AT_ONCE {
                report.add(at_work.join_next().await);
            }
            let provider = self.clone();
            at_work.spawn(async move { provider.give_back(&lease).await });
        }
        while !at_work.is_empty() {
            report.add(at_work.join_next().await);
        }
        report
    }

    /// Gives back a lock whose holder goes on, and may extend it at this very moment.
    async fn give_back(&self, lease: &Lease) -> Result<Ownership, LockError> {
        self.leases().end(lease);
        let answer = limited(
            DEFAULT_TIMEOUT,
            self.inner.release(lease, self.keep_for(lease)),
        )
        .await;
        if answer.is_ok() {
            self.leases().give_back(lease);
        }
        let name = self.info().name();
        answer.map_err(|error| error.with_context(Operation::Release, name, Some(lease.name())))
    }

    /// What is left of the lease's `at_least`.
    fn keep_for(&self, lease: &Lease) -> Duration {
        lease.at_least_left(self.inner.info().clock())
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        // Nothing panics while it is locked.
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The provider's name with the wrappers around it, as [`ProviderInfo`] shows it.
impl<P: LockProvider> fmt::Display for TrackingLockProvider<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.fmt(f)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<P: LockProvider> LockProvider for TrackingLockProvider<P> {
    // The same locks, so the same provider.
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let answer = self.inner.acquire(request).await?;
        // No await from here to the caller: a grant that arrived is known. One that did not is given back by whoever
        // waited for it, as one that nobody knows of.
        if let Acquisition::Granted(lease) = &answer {
            let now = self.inner.info().clock().boot();
            let ends = request.requested_at().saturating_add(lease.valid_for());
            let mut lease = lease.clone();
            lease.set_acquired(now);
            self.leases().add(lease, ends, now);
        }
        Ok(answer)
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        if self.leases().is_ending(lease) {
            return Ok(Ownership::Lost);
        }
        let ends = self.inner.info().clock().boot().saturating_add(at_most);
        // The store may carry out a request whose answer is lost: an earlier end counts from now on.
        self.leases().shorten(lease, ends);
        let answer = self.inner.extend(lease, at_most).await?;
        if answer == Ownership::Lost {
            self.leases().remove(lease);
        } else if self.leases().is_ending(lease) {
            // Given back meanwhile: nobody knows which of the two the store did last.
            self.inner.release(lease, self.keep_for(lease)).await?;
            return Ok(Ownership::Lost);
        } else {
            self.leases().extend(lease, ends);
        }
        Ok(answer)
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        let answer = self.inner.release(lease, keep_for).await?;
        // Not before the answer: what could not be given back is still held.
        self.leases().remove(lease);
        Ok(answer)
    }

    async fn forget_claims(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        self.inner.forget_claims(prefix, unused_for).await
    }

    fn run_history(&self) -> Option<&dyn RunHistory> {
        self.inner.run_history()
    }
}
