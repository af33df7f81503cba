//! The locks and acquisitions of this process that a shutdown has to wait for and to end.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use once_cell::sync::Lazy;
use tokio::sync::Notify;

use crate::values::name::LockName;

const OPEN: u8 = 0;
const CLOSED: u8 = 1;
const CANCELLING: u8 = 2;

static MODE: AtomicU8 = AtomicU8::new(OPEN);
/// How many tickets a shutdown would wait for.
static AWAITED_TICKETS: AtomicUsize = AtomicUsize::new(0);
static CHANGED: Notify = Notify::const_new();
static TARGETS: Lazy<Mutex<Targets>> = Lazy::new(Mutex::default);

/// A held lock, as a shutdown sees it.
pub(crate) trait ShutdownTarget: Send + Sync {
    /// Whether a shutdown has to wait for the release of the lock.
    fn is_awaited(&self) -> bool;

    /// Ends the body that runs under the lock. False if a shutdown has already ended the body, if only the release remained, or if a
    /// shutdown must leave the lock alone.
    fn shut_down(&self) -> bool;

    /// Releases the lock in place of its holder. `None` if a body runs under the lock, or if a shutdown must leave the lock alone.
    fn release(self: Arc<Self>) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>>;

    /// Reports that the shutdown ends before the lock is released, and returns the lock's name.
    fn report_abandoned(&self) -> LockName;
}

/// The locks that a shutdown may have to end. A lock whose body never waits is not registered: such a body ends before a
/// shutdown could find its lock.
#[derive(Default)]
struct Targets {
    last_id: u64,
    by_id: HashMap<u64, Weak<dyn ShutdownTarget>>,
}

fn targets() -> MutexGuard<'static, Targets> {
    // Nothing panics while the mutex is locked.
    TARGETS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The entry of a lock in the registry that a shutdown reads. The entry is removed when the lock is dropped.
#[derive(Debug)]
pub(crate) struct Registration(u64);

impl Registration {
    /// Lets a shutdown find `target`.
    pub(crate) fn new(target: Weak<dyn ShutdownTarget>) -> Self {
        let mut targets = targets();
        targets.last_id += 1;
        let id = targets.last_id;
        targets.by_id.insert(id, target);
        Self(id)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        targets().by_id.remove(&self.0);
    }
}

/// Something that a shutdown waits for: an acquisition without an answer yet, or a lock that is not released yet.
#[derive(Debug)]
pub(crate) struct ShutdownTicket(AtomicU8);

/// The shutdown waits for the ticket.
const AWAITED: u8 = 0;
/// The shutdown does not wait, although the lock may still be released.
const DETACHED: u8 = 1;
/// There is nothing to release.
const DONE: u8 = 2;

impl ShutdownTicket {
    /// A ticket for one more acquisition, unless the process is shutting down.
    pub(crate) fn issue() -> Option<Self> {
        // Counted before the mode is read: a shutdown that does not see the new count has set the mode before this read.
        AWAITED_TICKETS.fetch_add(1, Ordering::SeqCst);
        let ticket = Self(AtomicU8::new(AWAITED));
        (MODE.load(Ordering::SeqCst) == OPEN).then_some(ticket)
    }

    /// A ticket for what remains to be done about a run that has ended, also while the process is shutting down.
    pub(crate) fn of_what_has_ended() -> Self {
        AWAITED_TICKETS.fetch_add(1, Ordering::SeqCst);
        Self(AtomicU8::new(AWAITED))
    }

    /// Whether a shutdown waits for this ticket.
    pub(crate) fn is_awaited(&self) -> bool {
        self.0.load(Ordering::Acquire) == AWAITED
    }

    /// Whether there is nothing left to release.
    pub(crate) fn is_done(&self) -> bool {
        self.0.load(Ordering::Acquire) == DONE
    }

    /// Records that there is nothing left to release.
    pub(crate) fn done(&self) {
        if self.0.swap(DONE, Ordering::AcqRel) == AWAITED {
            stop_waiting();
        }
    }

    /// Makes a shutdown stop waiting for this ticket. The holder may still release the lock.
    pub(crate) fn detach(&self) {
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        let detached = self.0.compare_exchange(AWAITED, DETACHED, success, failure);
        if detached.is_ok() {
            stop_waiting();
        }
    }
}

fn stop_waiting() {
    AWAITED_TICKETS.fetch_sub(1, Ordering::SeqCst);
    if is_closed() {
        CHANGED.notify_waiters();
    }
}

impl Drop for ShutdownTicket {
    fn drop(&mut self) {
        if *self.0.get_mut() == AWAITED {
            stop_waiting();
        }
    }
}

/// Whether this process takes no more locks.
pub(crate) fn is_closed() -> bool {
    MODE.load(Ordering::SeqCst) != OPEN
}

/// Whether a shutdown ends every lock that it finds.
pub(crate) fn is_cancelling() -> bool {
    MODE.load(Ordering::SeqCst) == CANCELLING
}

/// Lets this process take locks again.
pub(crate) fn open() {
    MODE.store(OPEN, Ordering::SeqCst);
}

/// Stops this process from taking further locks.
pub(crate) fn close() {
    let _was = MODE.compare_exchange(OPEN, CLOSED, Ordering::SeqCst, Ordering::SeqCst);
}

/// Ends every registered lock, and makes each lock that is registered later end at once. Returns how many bodies and holders of guards
/// this call has ended.
pub(crate) fn cancel() -> usize {
    MODE.store(CANCELLING, Ordering::SeqCst);
    let targets = awaited();
    targets.iter().filter(|target| target.shut_down()).count()
}

/// The registered locks whose release a shutdown has to wait for.
pub(crate) fn awaited() -> Vec<Arc<dyn ShutdownTarget>> {
    let found: Vec<_> = targets().by_id.values().filter_map(Weak::upgrade).collect();
    // Filtered after the mutex is unlocked: dropping the last reference to a lock removes its entry, which locks the mutex.
    found
        .into_iter()
        .filter(|target| target.is_awaited())
        .collect()
}

/// How many acquisitions have no answer yet, plus how many locks are not released yet.
pub(crate) fn awaited_tickets() -> usize {
    AWAITED_TICKETS.load(Ordering::SeqCst)
}

/// Waits until no ticket is awaited.
pub(crate) async fn idle() {
    loop {
        let mut changed = std::pin::pin!(CHANGED.notified());
        // Registered before the count is read, so that the last change is not missed.
        changed.as_mut().enable();
        if awaited_tickets() == 0 {
            return;
        }
        changed.await;
    }
}
