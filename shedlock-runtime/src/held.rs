//! What the guard of a lock, its gate and the task that runs under it share.

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::answer::{Extended, Released};
use crate::clock::BootInstant;
use crate::config::check_at_most;
use crate::duration::ToDuration;
use crate::error::{ErrorKind, LockError, Operation};
use crate::events;
use crate::lease::Lease;
use crate::limit::limited;
use crate::name::LockName;
use crate::provider::LockProvider;

/// A held lock.
pub(crate) struct LockState {
    provider: Arc<dyn LockProvider>,
    name: LockName,
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

impl LockState {
    /// The state of a lock whose answer came at `now`, by the provider's forward clock.
    pub(crate) fn new(
        provider: &Arc<dyn LockProvider>,
        mut lease: Lease,
        deadline: BootInstant,
        now: BootInstant,
        timeout: Duration,
        outer: Option<Arc<Self>>,
    ) -> Self {
        lease.set_acquired(now);
        Self {
            provider: Arc::clone(provider),
            name: lease.name().clone(),
            lease: Mutex::new(lease),
            deadline: AtomicI64::new(deadline.as_nanos()),
            lost: AtomicBool::new(false),
            lost_signal: Notify::new(),
            outer,
            timeout,
            runtime: Handle::try_current().ok(),
            extending: tokio::sync::Mutex::new(()),
        }
    }

    pub(crate) fn provider(&self) -> &dyn LockProvider {
        &*self.provider
    }

    /// For work that outlives the lock.
    pub(crate) fn shared_provider(&self) -> Arc<dyn LockProvider> {
        Arc::clone(&self.provider)
    }

    pub(crate) fn runtime(&self) -> Option<&Handle> {
        self.runtime.as_ref()
    }

    pub(crate) fn name(&self) -> &LockName {
        &self.name
    }

    pub(crate) fn fencing_token(&self) -> Option<u64> {
        self.lease().fencing_token()
    }

    fn lease(&self) -> MutexGuard<'_, Lease> {
        // Nothing panics while it is locked, and a lease is whole at every moment.
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lease as it is now.
    pub(crate) fn current_lease(&self) -> Lease {
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
            .saturating_since(self.provider().info().clock().boot());
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
        let info = self.provider().info();
        let context =
            |error: LockError| error.with_context(Operation::Extend, info.name(), Some(&self.name));
        let Some(left) = self.remaining() else {
            return Err(context(lost()));
        };
        let sent = info.clock().boot();
        let end = sent.saturating_add(at_most);
        // The store may carry out a request whose answer is lost: an earlier end counts from now on.
        self.deadline.fetch_min(end.as_nanos(), Ordering::AcqRel);
        let lease = self.current_lease();
        let limit = self.timeout.min(left).min(at_most);
        let error = match limited(limit, self.provider().extend(&lease, at_most)).await {
            Ok(Extended::Extended) => {
                self.deadline.store(end.as_nanos(), Ordering::Release);
                self.lease().hold_until(info.clock().boot(), at_least);
                events::extended(self, at_most);
                return Ok(());
            }
            Ok(Extended::Lost) => lost(),
            Err(error) => error,
        };
        if error.kind() == ErrorKind::Lost {
            events::lost(self, "the store says that the lock is not ours");
        }
        Err(context(error))
    }

    /// Asks the store once to take the lock back.
    pub(crate) async fn release_once(&self) -> Result<Released, LockError> {
        let lease = self.current_lease();
        let answer = limited(self.timeout, self.provider().release(&lease)).await;
        match &answer {
            Ok(Released::Released) => events::released(self, &lease),
            Ok(Released::Lost) => events::lost(self, "it was gone when it was to be released"),
            Err(_) => {}
        }
        self.mark_lost();
        answer.map_err(|error| {
            error.with_context(
                Operation::Release,
                self.provider().info().name(),
                Some(&self.name),
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
