//! The guard of a held lock.

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::clock::BootInstant;
use crate::config::{LockConfiguration, check_at_most};
use crate::duration::ToDuration;
use crate::error::{ErrorKind, LockError, Operation};
use crate::events;
use crate::limit::limited;
use crate::name::LockName;
use crate::provider::{Acquired, Attempt, Extended, Lease, LockProvider, Refusal, Released};
use crate::release::{self, Orphan};

/// A held lock: released when it is dropped or, better, by [`unlock`](Self::unlock).
///
/// `Drop` cannot wait for the store: it hands the release to the tokio runtime that took the lock. Where that runtime
/// has ended, the lease just runs out.
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
pub struct Lock {
    state: Arc<LockState>,
    release_on_drop: bool,
}

/// What the guard, the running task and the gate share.
pub(crate) struct LockState {
    provider: Arc<dyn LockProvider>,
    lease: Mutex<Lease>,
    /// The holder's own end of the lease, in [`BootInstant`] nanoseconds.
    deadline: AtomicI64,
    lost: AtomicBool,
    lost_signal: Notify,
    /// The lock that the same task held already when it took this one.
    outer: Option<Arc<LockState>>,
    timeout: Duration,
    runtime: Option<Handle>,
    /// Extensions of one lease go one after the other, or the deadline would not be that of the last one confirmed.
    extending: tokio::sync::Mutex<()>,
}

/// Asks the store for a lock, within the time that the configuration allows.
///
/// `outer` is the innermost lock that the asking task holds already.
pub(crate) async fn acquire(
    provider: &Arc<dyn LockProvider>,
    config: LockConfiguration,
    outer: Option<Arc<LockState>>,
) -> Result<Result<Lock, Refusal>, LockError> {
    let info = provider.info();
    let context = |error: LockError, name: &LockName| {
        error.with_context(Operation::Acquire, info.name(), Some(name))
    };
    if let Err(invalid) = config.name().check_chars(info.max_name_chars()) {
        return Err(context(invalid.into(), config.name()));
    }
    let timeout = config.timeout();
    let mut orphan = Orphan::new(provider, Attempt::new(config, info.clock().boot()));
    let answer = limited(timeout, provider.acquire(orphan.attempt())).await;
    let now = info.clock().boot();
    match answer {
        Ok(Acquired::Granted(lease)) => {
            let deadline = orphan.attempt().sent().saturating_add(lease.valid_for());
            if now >= deadline {
                // Dropping the orphan gives the lock back.
                let late = LockError::new(
                    ErrorKind::Timeout,
                    "the answer came after the lease had ended",
                )
                .with_remedy("give the lock a longer `at_most`");
                return Err(context(late, orphan.attempt().name()));
            }
            orphan.disarm();
            let lock = Lock::new(provider, lease, deadline, now, timeout, outer);
            events::acquired(&lock.state);
            Ok(Ok(lock))
        }
        Ok(Acquired::Refused(refusal)) => {
            orphan.disarm();
            Ok(Err(refusal))
        }
        Err(error) => {
            if !error.kind().is_ambiguous() {
                orphan.disarm();
            }
            Err(context(error, orphan.attempt().name()))
        }
    }
}

impl Lock {
    fn new(
        provider: &Arc<dyn LockProvider>,
        mut lease: Lease,
        deadline: BootInstant,
        now: BootInstant,
        timeout: Duration,
        outer: Option<Arc<LockState>>,
    ) -> Self {
        lease.set_acquired(now);
        let state = LockState {
            provider: Arc::clone(provider),
            lease: Mutex::new(lease),
            deadline: AtomicI64::new(deadline.as_nanos()),
            lost: AtomicBool::new(false),
            lost_signal: Notify::new(),
            outer,
            timeout,
            runtime: Handle::try_current().ok(),
            extending: tokio::sync::Mutex::new(()),
        };
        Self {
            state: Arc::new(state),
            release_on_drop: true,
        }
    }

    /// The lock's name.
    #[must_use]
    pub fn name(&self) -> LockName {
        self.state.name()
    }

    /// Whether the lease is live, by this node's own count: from before the store was asked, suspended time included.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.state.remaining().is_some()
    }

    /// How long the lease lasts from now, or `None` if it has ended.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.state.remaining()
    }

    /// A number that grows with every acquisition of this name, where the store can keep one.
    ///
    /// A resource that remembers the highest number it has seen can refuse the writes of a holder that lost its lock.
    #[must_use]
    pub fn fencing_token(&self) -> Option<u64> {
        self.state.lease().fencing_token()
    }

    /// Moves the end of the lease to `at_most` from now, and keeps the lock taken for `at_least` from now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Lost`] if the lease had ended: nothing was changed then. A duration that is refused as by
    /// [`LockConfiguration::new`], or the store's error; then the lease ends when it would have, or at the end asked
    /// for if that is earlier.
    ///
    /// # Cancel safety
    ///
    /// A dropped extension leaves the lease as an error does.
    pub async fn extend(
        &mut self,
        at_most: impl ToDuration,
        at_least: impl ToDuration,
    ) -> Result<(), LockError> {
        self.state
            .extend(at_most.to_duration()?, at_least.to_duration()?)
            .await
    }

    /// Whether dropping the guard releases the lock; `false` keeps the lock taken until `at_most`.
    pub fn release_on_drop(&mut self, release: bool) {
        self.release_on_drop = release;
    }

    /// Gives the lock back and waits until the store has confirmed it.
    ///
    /// [`Released::Lost`] says that the lock was not this guard's any more, so the work may have overlapped with
    /// another holder's.
    ///
    /// # Errors
    ///
    /// The store's error. The release is then tried again in the background until the lease ends.
    ///
    /// # Cancel safety
    ///
    /// If dropped, the release goes on in the background.
    pub async fn unlock(mut self) -> Result<Released, LockError> {
        self.release_on_drop = true;
        let answer = self.state.release_once().await;
        if answer.is_ok() {
            self.release_on_drop = false;
        }
        answer
    }

    pub(crate) fn state(&self) -> &Arc<LockState> {
        &self.state
    }

    /// Gives the lock back after a task: a failure is an event and no more.
    pub(crate) async fn release_after_task(self) {
        let state = Arc::clone(&self.state);
        if let Err(error) = self.unlock().await {
            events::release_failed(&state, &error);
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.release_on_drop {
            release::in_background(Arc::clone(&self.state));
        }
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("name", &self.name())
            .field("provider", &self.state.provider.info().name())
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

impl LockState {
    pub(crate) fn provider(&self) -> &Arc<dyn LockProvider> {
        &self.provider
    }

    pub(crate) fn runtime(&self) -> Option<&Handle> {
        self.runtime.as_ref()
    }

    pub(crate) fn name(&self) -> LockName {
        self.lease().name().clone()
    }

    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.lease().name().as_str() == name
    }

    pub(crate) fn fencing_token(&self) -> Option<u64> {
        self.lease().fencing_token()
    }

    fn lease(&self) -> MutexGuard<'_, Lease> {
        // Nothing panics while it is locked, and a lease is whole at every moment.
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lease_for_release(&self) -> Lease {
        self.lease().clone()
    }

    pub(crate) fn deadline(&self) -> BootInstant {
        BootInstant::from_nanos(self.deadline.load(Ordering::Acquire))
    }

    pub(crate) fn remaining(&self) -> Option<Duration> {
        if self.lost.load(Ordering::Acquire) {
            return None;
        }
        let left = self
            .deadline()
            .saturating_since(self.provider.info().clock().boot());
        (!left.is_zero()).then_some(left)
    }

    /// Notes that the lease is gone; true the first time.
    pub(crate) fn mark_lost(&self) -> bool {
        let first = !self.lost.swap(true, Ordering::AcqRel);
        self.lost_signal.notify_waiters();
        first
    }

    /// Waits until the lease has ended, by its deadline or by what the store said.
    pub(crate) async fn lost(&self) {
        loop {
            let mut signal = pin!(self.lost_signal.notified());
            // Registered before the look, so that a loss in between is not missed.
            signal.as_mut().enable();
            let Some(left) = self.remaining() else { return };
            let _ = tokio::time::timeout(left, signal).await;
        }
    }

    pub(crate) fn outer(&self) -> Option<&Arc<LockState>> {
        self.outer.as_ref()
    }

    pub(crate) async fn extend(
        &self,
        at_most: Duration,
        at_least: Duration,
    ) -> Result<(), LockError> {
        check_at_most(at_most)?;
        at_least.to_duration()?;
        let _one_at_a_time = self.extending.lock().await;
        let info = self.provider.info();
        let name = self.name();
        let context =
            |error: LockError| error.with_context(Operation::Extend, info.name(), Some(&name));
        let Some(left) = self.remaining() else {
            return Err(context(lost()));
        };
        let sent = info.clock().boot();
        let end = sent.saturating_add(at_most);
        // The store may carry out a request whose answer is lost: an earlier end counts from now on.
        self.deadline.fetch_min(end.as_nanos(), Ordering::AcqRel);
        let lease = self.lease().clone();
        let limit = self.timeout.min(left).min(at_most);
        match limited(limit, self.provider.extend(&lease, at_most)).await {
            Ok(Extended::Extended) => {
                self.deadline.store(end.as_nanos(), Ordering::Release);
                self.lease().hold_until(info.clock().boot(), at_least);
                events::extended(self, at_most);
                Ok(())
            }
            Ok(Extended::Lost) => {
                events::lost(self, "the store says that the lock is not ours");
                Err(context(lost()))
            }
            Err(error) => {
                if error.kind() == ErrorKind::Lost {
                    events::lost(self, "the store says that the lock is not ours");
                }
                Err(context(error))
            }
        }
    }

    /// Asks the store once to take the lock back.
    pub(crate) async fn release_once(&self) -> Result<Released, LockError> {
        let lease = self.lease().clone();
        let answer = limited(self.timeout, self.provider.release(&lease)).await;
        match &answer {
            Ok(Released::Released) => events::released(self, &lease),
            Ok(Released::Lost) => events::lost(self, "it was gone when it was to be released"),
            Err(_) => {}
        }
        self.mark_lost();
        answer.map_err(|error| {
            error.with_context(
                Operation::Release,
                self.provider.info().name(),
                Some(lease.name()),
            )
        })
    }
}

impl fmt::Debug for LockState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockState")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

fn lost() -> LockError {
    LockError::new(
        ErrorKind::Lost,
        "the lease has ended, so the lock may be somebody else's",
    )
}
