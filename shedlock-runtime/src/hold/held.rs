//! The state of a held lock, shared by the lock's guard, the poll gate and the task that runs under the lock.

use std::any::Any;
use std::fmt;
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Duration;

use atomic_waker::AtomicWaker;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::hold::history;
use crate::hold::running::{Registration, ShutdownTicket};
use crate::hold::state::{AtomicState, State};
use crate::observe::events::{HeldLock as _, Holding, Subject};
use crate::seam::history::RunRecord;
use crate::seam::lease::Lease;
use crate::seam::provider::LockProvider;
use crate::values::claim::lock_of;
use crate::values::clock::BootInstant;
use crate::values::config::LockConfiguration;
use crate::values::name::LockName;
use crate::values::options::{KeepAlive, OnLost};
use crate::values::outcome::RunOutcome;
use crate::values::position::{Position, Wanted};

mod end;
mod facts;
mod shutdown;
mod store_calls;

pub(crate) use store_calls::ExtendAttempt;

/// A held lock: its name and provider, its lease, and its state.
pub(crate) struct LockState {
    provider: Arc<dyn LockProvider>,
    subject: Subject,
    at_most: Duration,
    keep_alive: KeepAlive,
    /// Which position the run has.
    wanted: Option<Wanted>,
    /// How long the claim of a text is kept, if this lock is one.
    claims_kept_for: Option<Duration>,
    /// How long one call to the store may take.
    timeout: Duration,
    /// The innermost lock that the task held already when the task took this lock.
    outer: Option<Arc<LockState>>,
    /// The runtime on which the lock was taken, for work in the background.
    runtime: Option<Handle>,
    lease: Mutex<Lease>,
    /// The end of the lease by this node's forward clock, in [`BootInstant`] nanoseconds.
    deadline: AtomicI64,
    state: AtomicState,
    lost_signal: Notify,
    /// Wakes the task that runs a body under this lock.
    gate: AtomicWaker,
    /// Locked during each call to the store, so that the deadline is the deadline of the last confirmed extension, and no
    /// extension follows the release.
    store_call: tokio::sync::Mutex<()>,
    /// How many releases were sent, whether or not they got an answer.
    releases_sent: AtomicU32,
    /// Counts the lock in the gauge of held locks.
    holding: Holding,
    /// Set once a shutdown can find the lock.
    registration: OnceLock<Registration>,
    ticket: ShutdownTicket,
    /// Whether the run has been entered in the history, or is none.
    is_in_history: AtomicBool,
}

impl LockState {
    /// The state of a lock that was granted by an answer at `now`, by the provider's forward clock.
    pub(crate) fn new(
        provider: &Arc<dyn LockProvider>,
        config: &LockConfiguration,
        mut lease: Lease,
        (deadline, now): (BootInstant, BootInstant),
        outer: Option<Arc<Self>>,
        ticket: ShutdownTicket,
    ) -> Arc<Self> {
        lease.set_acquired(now);
        let subject = Subject::new(config, provider.as_ref().info());
        Arc::new(Self {
            provider: Arc::clone(provider),
            holding: Holding::begin(&subject),
            subject,
            at_most: config.at_most(),
            keep_alive: config.options().keep_alive,
            wanted: config.options().wanted,
            claims_kept_for: config.claims_kept_for(),
            timeout: config.timeout(),
            outer,
            runtime: Handle::try_current().ok(),
            lease: Mutex::new(lease),
            deadline: AtomicI64::new(deadline.as_nanos()),
            state: AtomicState::granted(),
            lost_signal: Notify::new(),
            gate: AtomicWaker::new(),
            store_call: tokio::sync::Mutex::new(()),
            releases_sent: AtomicU32::new(0),
            registration: OnceLock::new(),
            ticket,
            is_in_history: AtomicBool::new(false),
        })
    }

    pub(crate) fn provider(&self) -> &dyn LockProvider {
        &*self.provider
    }

    pub(crate) fn runtime(&self) -> Option<&Handle> {
        self.runtime.as_ref()
    }

    /// How long the store keeps the lock taken if nobody releases the lock.
    pub(crate) fn taken_for(&self) -> Duration {
        self.deadline().saturating_since(self.now())
    }

    pub(crate) fn name(&self) -> &LockName {
        &self.subject.name
    }

    /// Which position the run has, if any.
    pub(crate) fn wanted(&self) -> Option<Wanted> {
        self.wanted
    }

    /// Whether this is the lock `name`, or the claim of a text for that lock.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        let held = self.name().as_str();
        held == name || self.claims_kept_for.is_some() && lock_of(held) == Some(name)
    }

    pub(crate) fn at_most(&self) -> Duration {
        self.at_most
    }

    /// Whether and how often keep-alive extends the lease, as configured.
    pub(crate) fn keep_alive(&self) -> KeepAlive {
        self.keep_alive
    }

    fn lease(&self) -> MutexGuard<'_, Lease> {
        // Nothing panics while the mutex is locked, and a lease is complete at every moment.
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

    /// When four fifths of the lease have passed: the latest time to begin an extension.
    pub(crate) fn almost_over(&self) -> BootInstant {
        self.deadline().saturating_sub(self.at_most / 5)
    }

    /// The current state of the lock.
    pub(crate) fn snapshot(&self) -> State {
        self.state.load()
    }

    /// Records that the run under the lock has succeeded, so that the release marks the position in the record as done.
    pub(crate) fn note_done(&self) {
        // Most locks have no position, and then the lease need not be locked.
        if self.wanted.is_some() {
            self.lease().note_done();
        }
    }

    /// Records that no run begins under the lock, so that the release frees the lock and gives its position back.
    pub(crate) fn note_unused(&self) {
        let mut lease = self.lease();
        lease.note_unused();
        lease.waive_at_least();
    }

    /// The note of type `T` that the lock's provider kept with the lease.
    pub(crate) fn noted<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.lease().note_of_type()
    }

    /// Enters the run in the provider's history, if the provider keeps one. Only the first call does.
    pub(crate) fn enter_in_history(&self, outcome: RunOutcome, error: Option<&str>) {
        if self.leave_out_of_history() || self.provider.run_history().is_none() {
            return;
        }
        let lease = self.current_lease();
        let ended = self.provider().info().clock().utc();
        let ran = history::began(ended, self.held_for())..ended;
        let run = RunRecord::new(self.name().as_str(), &self.node(), ran, outcome)
            .with_fencing_token(lease.fencing_token())
            .with_position(self.position_of_run());
        let run = match error {
            Some(error) => run.with_error(error),
            None => run,
        };
        let runtime = self.runtime.clone();
        history::write(&self.provider, &self.subject, run, self.timeout, runtime);
    }

    /// The slot, instant or step of the run, and whether the run has succeeded.
    fn position_of_run(&self) -> Option<Position> {
        let lease = self.lease();
        lease.position().map(|position| Position {
            is_done: lease.is_done(),
            ..position
        })
    }

    /// The text of the error with which a run has failed, if the provider's history wants it.
    pub(crate) fn error_text(&self, error: &dyn Display) -> Option<String> {
        self.provider.run_history()?;
        history::error_text(error)
    }

    /// Records that the run needs no entry in the history any more. Returns whether that was known.
    pub(crate) fn leave_out_of_history(&self) -> bool {
        self.is_in_history.swap(true, Ordering::AcqRel)
    }

    /// Records that a body begins to run, and what happens to the body if the lock is lost.
    pub(crate) fn begin_body(&self, on_lost: OnLost) {
        self.state.begin_body(on_lost);
    }

    /// Records that the body has been dropped.
    pub(crate) fn end_body(&self) {
        self.state.end_body();
    }

    /// Arranges that `waker` is woken when the lock is lost or the process shuts down.
    pub(crate) fn wake_gate_by(&self, waker: &Waker) {
        self.gate.register(waker);
    }

    pub(crate) fn set_release_on_drop(&self, release: bool) {
        self.state.set_release_on_drop(release);
    }

    /// Records that nobody goes on with the guard: once no body runs, all that remains is the release.
    pub(crate) fn give_up(&self) {
        self.state.give_up();
    }

    /// Whether the lock has been released, or need not be released.
    pub(crate) fn is_given_back(&self) -> bool {
        self.ticket.is_done()
    }

    pub(crate) fn outer(&self) -> Option<&Arc<LockState>> {
        self.outer.as_ref()
    }
}

impl Drop for LockState {
    fn drop(&mut self) {
        if !self.snapshot().has_ended() {
            self.holding.end();
        }
    }
}

impl fmt::Debug for LockState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockState")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
