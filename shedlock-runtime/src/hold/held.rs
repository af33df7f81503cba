//! What the guard of a lock, its gate and the task that runs under it share.

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use atomic_waker::AtomicWaker;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::hold::running::{self, Active};
use crate::observe::event::LossReason;
use crate::observe::events::{self, Holding, Subject};
use crate::seam::lease::Lease;
use crate::seam::provider::LockProvider;
use crate::values::clock::BootInstant;
use crate::values::config::LockConfiguration;
use crate::values::name::LockName;
use crate::values::options::KeepAlive;

mod ask;
mod body;
mod facts;

pub(crate) use ask::Try;

/// A held lock.
pub(crate) struct LockState {
    provider: Arc<dyn LockProvider>,
    subject: Subject,
    at_most: Duration,
    keep_alive: KeepAlive,
    lease: Mutex<Lease>,
    /// The holder's own end of the lease, in [`BootInstant`] nanoseconds.
    deadline: AtomicI64,
    end: AtomicU8,
    shut_down: AtomicBool,
    lost_signal: Notify,
    /// The task that runs a body under this lock.
    gate: AtomicWaker,
    is_running: AtomicBool,
    /// Whether what runs is cancelled when the lock is lost.
    cancels: AtomicBool,
    /// The lock that the same task held already when it took this one.
    outer: Option<Arc<LockState>>,
    timeout: Duration,
    runtime: Option<Handle>,
    /// One question at a time: the deadline is that of the last extension confirmed, and none follows the release.
    asking: tokio::sync::Mutex<()>,
    release_on_drop: AtomicBool,
    active: Active,
    /// Counts it among the locks that are held, until it ends.
    holding: Holding,
    id: AtomicU64,
}

/// Why a lock is not held any more; the first reason stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum End {
    Lost = 1,
    ShutDown = 2,
    Released = 3,
    /// The store took it away, before the lease was over.
    Stolen = 4,
}

const LIVE: u8 = 0;

impl LockState {
    /// The state of a lock whose answer came at `now`, by the provider's forward clock.
    pub(crate) fn new(
        provider: &Arc<dyn LockProvider>,
        config: &LockConfiguration,
        mut lease: Lease,
        (deadline, now): (BootInstant, BootInstant),
        outer: Option<Arc<Self>>,
        active: Active,
    ) -> Arc<Self> {
        lease.set_acquired(now);
        let subject = Subject::of(config, provider.as_ref().info());
        Arc::new(Self {
            provider: Arc::clone(provider),
            holding: Holding::begin(&subject),
            subject,
            at_most: config.at_most(),
            keep_alive: config.options().keep_alive,
            lease: Mutex::new(lease),
            deadline: AtomicI64::new(deadline.as_nanos()),
            end: AtomicU8::new(LIVE),
            shut_down: AtomicBool::new(false),
            lost_signal: Notify::new(),
            gate: AtomicWaker::new(),
            is_running: AtomicBool::new(false),
            cancels: AtomicBool::new(false),
            outer,
            timeout: config.timeout(),
            runtime: Handle::try_current().ok(),
            asking: tokio::sync::Mutex::new(()),
            release_on_drop: AtomicBool::new(true),
            active,
            id: AtomicU64::new(0),
        })
    }

    pub(crate) fn provider(&self) -> &dyn LockProvider {
        &*self.provider
    }

    pub(crate) fn runtime(&self) -> Option<&Handle> {
        self.runtime.as_ref()
    }

    /// How long the store keeps the lock taken if nobody gives it back.
    pub(crate) fn taken_for(&self) -> Duration {
        self.deadline().saturating_since(self.now())
    }

    pub(crate) fn name(&self) -> &LockName {
        &self.subject.name
    }

    pub(crate) fn at_most(&self) -> Duration {
        self.at_most
    }

    /// How the configuration wants it kept alive.
    pub(crate) fn keep_alive(&self) -> KeepAlive {
        self.keep_alive
    }

    fn lease(&self) -> MutexGuard<'_, Lease> {
        // Nothing panics while it is locked, and a lease is whole at every moment.
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lease as it is now.
    pub(crate) fn current_lease(&self) -> Lease {
        self.lease().clone()
    }

    pub(crate) fn now(&self) -> BootInstant {
        self.provider().info().clock().boot()
    }

    pub(crate) fn deadline(&self) -> BootInstant {
        BootInstant::from_nanos(self.deadline.load(Ordering::Acquire))
    }

    /// When four fifths of the lease are used: the last time to begin an extension.
    pub(crate) fn almost_over(&self) -> BootInstant {
        self.deadline().saturating_sub(self.at_most / 5)
    }

    /// Believes in no later end than `end`, and has whoever waits for the end count anew.
    fn shorten(&self, end: BootInstant) {
        let end = end.as_nanos();
        if self.deadline.fetch_min(end, Ordering::AcqRel) > end {
            self.lost_signal.notify_waiters();
            self.gate.wake();
        }
    }

    /// Notes why the lock is not held any more; false if that is known already.
    fn end(&self, end: End) -> bool {
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        let noted = self.end.compare_exchange(LIVE, end as u8, success, failure);
        if noted.is_ok() {
            self.holding.end();
            self.lost_signal.notify_waiters();
            // Whoever gives it back has no body running.
            if end != End::Released {
                self.gate.wake();
            }
        }
        noted.is_ok()
    }

    /// Notes that the lease is gone, and says so the first time.
    pub(crate) fn lose(&self, reason: LossReason, why: &str) {
        let first = self.end(match reason {
            LossReason::Deadline => End::Lost,
            LossReason::Stolen => End::Stolen,
        });
        if first {
            events::lost(self, reason, why);
        }
    }

    /// Whether the store has taken it away, so that its deadline means nothing any more.
    pub(crate) fn was_stolen(&self) -> bool {
        self.end.load(Ordering::Acquire) == End::Stolen as u8
    }

    /// Whether a shutdown is to leave it as it is, because its guard is to keep the lock.
    pub(crate) fn is_left_alone(&self) -> bool {
        let alone = !self.is_running() && !self.releases_on_drop();
        if alone {
            self.active.leave();
        }
        alone
    }

    /// Ends what runs under this lock; false if it had ended, or is to keep the lock.
    pub(crate) fn shut_down(&self) -> bool {
        if self.is_left_alone() {
            return false;
        }
        // A body that goes on without its lock ends, too.
        let first = !self.shut_down.swap(true, Ordering::AcqRel);
        self.end(End::ShutDown);
        self.gate.wake();
        first
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.shut_down.load(Ordering::Acquire)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.end.load(Ordering::Acquire) != LIVE
    }

    /// Wakes the task that runs the body when the lock is lost or the process shuts down.
    pub(crate) fn wake_gate_by(&self, waker: &Waker) {
        self.gate.register(waker);
    }

    pub(crate) fn releases_on_drop(&self) -> bool {
        self.release_on_drop.load(Ordering::Acquire)
    }

    pub(crate) fn release_on_drop(&self, release: bool) {
        self.release_on_drop.store(release, Ordering::Release);
    }

    pub(crate) fn active(&self) -> &Active {
        &self.active
    }

    pub(crate) fn id(&self) -> u64 {
        self.id.load(Ordering::Acquire)
    }

    pub(crate) fn set_id(&self, id: u64) {
        self.id.store(id, Ordering::Release);
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
}

impl Drop for LockState {
    fn drop(&mut self) {
        running::forget(self.id());
    }
}

impl fmt::Debug for LockState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockState")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
