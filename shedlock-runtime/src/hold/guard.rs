//! The guard of a held lock.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::hold::held::LockState;
use crate::hold::release;
use crate::observe::events::{self, HeldLock as _};
use crate::seam::answer::Ownership;
use crate::values::duration::ToDuration;
use crate::values::error::LockError;
use crate::values::name::LockName;
use crate::values::outcome::RunOutcome;

/// The guard of a held lock. Call [`unlock`](Self::unlock) to release the lock and to wait for the store's answer. Dropping the guard
/// releases the lock as well.
///
/// `Drop` cannot wait for the store, so the release runs on the tokio runtime on which the lock was taken. If that runtime has
/// ended, the lock stays taken until the lease ends.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// # use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockProviderExt as _};
/// # let provider = InMemoryLockProvider::new();
/// if let Some(mut lock) = provider.try_lock(LockConfiguration::new("mail", "5m")?).await? {
///     lock.extend("5m", "0s").await?;
///     lock.unlock().await?;
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "if unused, the lock is released at once"]
pub struct Lock(Arc<LockState>);

impl Lock {
    pub(super) fn new(state: Arc<LockState>) -> Self {
        Self(state)
    }

    /// The name of the lock.
    #[must_use]
    pub fn name(&self) -> LockName {
        self.0.name().clone()
    }

    /// Whether the lease has not ended, measured by this node's forward clock. The lease is counted from before the request was sent, and
    /// the forward clock also counts the time while the machine is suspended.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.remaining().is_some()
    }

    /// The time that is left of the lease, measured by this node's forward clock. `None` if the lease has ended.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.0.remaining()
    }

    /// The fencing token: a number that grows with every acquisition of this lock. `None` if the store has no fencing tokens.
    ///
    /// A resource that remembers the highest fencing token so far can refuse the writes of a holder that has lost its lock.
    #[must_use]
    pub fn fencing_token(&self) -> Option<u64> {
        self.0.fencing_token()
    }

    /// Extends the lock: the lease ends `at_most` from now, and the lock stays taken for at least `at_least` from now.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Lost`](crate::ErrorKind::Lost) if the lease had ended, or if the store says that the lock no longer belongs to this guard.
    /// - [`ErrorKind::InvalidDuration`](crate::ErrorKind::InvalidDuration) if a duration is one that
    ///   [`LockConfiguration::new`](crate::LockConfiguration::new) refuses. The lease is unchanged.
    /// - The store's error, if the store refused the extension or did not answer in time. The lease then ends at the earlier of two times:
    ///   its end before the call, or `at_most` after the call.
    ///
    /// The store may still carry out an extension that got no answer, at any later time. If the extension arrives after a later
    /// extension or after the release, the store changes nothing.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, the lease ends at the earlier of two times: its end before the call, or `at_most` after the call.
    pub async fn extend(
        &mut self,
        at_most: impl ToDuration,
        at_least: impl ToDuration,
    ) -> Result<(), LockError> {
        self.0.extend(at_most, at_least).await
    }

    /// Sets whether dropping the guard releases the lock. With `false`, the lock stays taken until the lease ends.
    pub fn release_on_drop(&mut self, release: bool) {
        self.0.set_release_on_drop(release);
    }

    /// Releases the lock and waits until the store has confirmed the release.
    ///
    /// The answer [`Ownership::Lost`] means that the lock no longer belonged to this guard: the work may have overlapped with
    /// the work of another holder.
    ///
    /// # Errors
    ///
    /// The store's error, if the release failed or got no answer. The release is then retried in the background until the lease ends.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, the release continues in the background.
    pub async fn unlock(self) -> Result<Ownership, LockError> {
        self.0.set_release_on_drop(true);
        self.0.give_up();
        self.0.enter_in_history(RunOutcome::Completed, None);
        self.0.release_once().await
    }

    /// Releases the lock as [`unlock`](Self::unlock) does, and marks the slot, instant or step that the configuration asked for as done.
    ///
    /// Call this method after work that succeeded. [`unlock`](Self::unlock) and dropping the guard leave the slot, instant or step marked
    /// as begun and not done. The executor and the attribute `#[scheduler_lock]` mark a successful run as done by themselves.
    ///
    /// # Errors
    ///
    /// As [`unlock`](Self::unlock).
    ///
    /// # Cancel safety
    ///
    /// As [`unlock`](Self::unlock).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), shedlock_runtime::LockError> {
    /// use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockProviderExt as _};
    ///
    /// let provider = InMemoryLockProvider::new();
    /// let step = |number| LockConfiguration::new("order-17", "1m")?.with_step(number);
    /// let charge = provider.try_lock(step(1)?).await?.expect("the first step is due");
    /// charge.complete().await?;
    /// assert!(provider.try_lock(step(1)?).await?.is_none(), "it never runs again");
    /// assert!(provider.try_lock(step(2)?).await?.is_some(), "the next step is due");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn complete(self) -> Result<Ownership, LockError> {
        self.0.note_done();
        self.unlock().await
    }

    /// The note of type `T` that the lock's provider kept with the lease, for functions of the provider's own crate that take a guard:
    /// for example one that checks the lock in a transaction of the user. `None` if no provider kept a `T`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), shedlock_runtime::LockError> {
    /// use shedlock_runtime::{InMemoryLockProvider, Lock, LockConfiguration, LockProviderExt as _};
    ///
    /// /// What a provider keeps with its leases, by `AcquireRequest::note`.
    /// struct Row(u64);
    ///
    /// fn row_of(lock: &Lock) -> Option<u64> {
    ///     Some(lock.noted::<Row>()?.0)
    /// }
    ///
    /// let provider = InMemoryLockProvider::new();
    /// let lock = provider.try_lock(LockConfiguration::new("mail", "5m")?).await?.expect("the lock is free");
    /// assert_eq!(row_of(&lock), None, "a lock in memory has no row");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn noted<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.0.noted()
    }

    pub(crate) fn state(&self) -> &Arc<LockState> {
        &self.0
    }

    /// Releases the lock after a task. A failure is reported as an event, and never changes the task's result.
    pub(crate) async fn release_after_task(self) {
        if let Err(error) = self.0.release_once().await {
            // Dropping the guard retries the release in the background.
            events::release_failed(&*self.0, self.0.taken_for(), &error);
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.0.snapshot().releases_on_drop() && !self.0.is_given_back() {
            self.0.give_up();
            self.0.enter_in_history(RunOutcome::Dropped, None);
            release::in_background(Arc::clone(&self.0));
        }
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("name", &self.name())
            .field("provider", &self.0.provider().info().name())
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
