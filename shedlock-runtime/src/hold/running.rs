//! What of this process holds locks or is about to: what a shutdown has to wait for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use once_cell::sync::Lazy;
use tokio::sync::Notify;

use crate::hold::held::LockState;

const OPEN: u8 = 0;
const CLOSED: u8 = 1;
const CANCELLING: u8 = 2;

static MODE: AtomicU8 = AtomicU8::new(OPEN);
static ACTIVE: AtomicUsize = AtomicUsize::new(0);
static CHANGED: Notify = Notify::const_new();
static HELD: Lazy<Mutex<Held>> = Lazy::new(Mutex::default);

/// The locks that a shutdown may have to end. A body that never waits is over before anybody could.
#[derive(Default)]
struct Held {
    last_id: u64,
    states: HashMap<u64, Weak<LockState>>,
}

fn held() -> MutexGuard<'static, Held> {
    // Nothing panics while it is locked.
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An acquisition on its way, or a lock that is not given back yet.
#[derive(Debug)]
pub(crate) struct Active(AtomicU8);

const AWAITED: u8 = 0;
const LEFT: u8 = 1;
const SETTLED: u8 = 2;

impl Active {
    /// Begins to hold a lock, unless the process is shutting down.
    pub(crate) fn begin() -> Option<Self> {
        // Counted first: a shutdown that does not see the count is seen here.
        ACTIVE.fetch_add(1, Ordering::SeqCst);
        let active = Self(AtomicU8::new(AWAITED));
        (MODE.load(Ordering::SeqCst) == OPEN).then_some(active)
    }

    /// Whether a shutdown waits for it.
    pub(crate) fn is_awaited(&self) -> bool {
        self.0.load(Ordering::Acquire) == AWAITED
    }

    /// Whether there is nothing more to give back.
    pub(crate) fn is_settled(&self) -> bool {
        self.0.load(Ordering::Acquire) == SETTLED
    }

    /// There is nothing more to give back.
    pub(crate) fn settle(&self) {
        if self.0.swap(SETTLED, Ordering::AcqRel) == AWAITED {
            settled();
        }
    }

    /// It is to stay as it is: its holder may still give it back, but a shutdown does not wait for that.
    pub(crate) fn leave(&self) {
        let left = self
            .0
            .compare_exchange(AWAITED, LEFT, Ordering::AcqRel, Ordering::Acquire);
        if left.is_ok() {
            settled();
        }
    }
}

fn settled() {
    ACTIVE.fetch_sub(1, Ordering::SeqCst);
    if is_closed() {
        CHANGED.notify_waiters();
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if *self.0.get_mut() == AWAITED {
            settled();
        }
    }
}

/// Whether no more locks are taken.
pub(crate) fn is_closed() -> bool {
    MODE.load(Ordering::SeqCst) != OPEN
}

/// Takes locks again.
pub(crate) fn open() {
    MODE.store(OPEN, Ordering::SeqCst);
}

/// Takes no more locks.
pub(crate) fn close() {
    let _was = MODE.compare_exchange(OPEN, CLOSED, Ordering::SeqCst, Ordering::SeqCst);
}

/// Lets a shutdown find a lock. One that is registered too late for it is ended here.
pub(crate) fn register(state: &Arc<LockState>) {
    let mut held = held();
    if state.id() == 0 {
        held.last_id += 1;
        let id = held.last_id;
        state.set_id(id);
        held.states.insert(id, Arc::downgrade(state));
    }
    drop(held);
    if MODE.load(Ordering::SeqCst) == CANCELLING {
        state.shut_down();
    }
}

/// Forgets a lock that nobody refers to any more.
pub(crate) fn forget(id: u64) {
    if id != 0 {
        held().states.remove(&id);
    }
}

/// Ends every lock that is known, and those that will be.
pub(crate) fn cancel() -> usize {
    MODE.store(CANCELLING, Ordering::SeqCst);
    let states = awaited();
    states.iter().filter(|state| state.shut_down()).count()
}

/// The known locks that are to be given back and are not yet.
pub(crate) fn awaited() -> Vec<Arc<LockState>> {
    let states: Vec<_> = held().states.values().filter_map(Weak::upgrade).collect();
    // Outside the mutex: the last reference to a state takes it again.
    states
        .into_iter()
        .filter(|state| state.active().is_awaited())
        .collect()
}

/// How much is going on.
pub(crate) fn active() -> usize {
    ACTIVE.load(Ordering::SeqCst)
}

/// Waits until nothing is.
pub(crate) async fn idle() {
    loop {
        let mut settled = std::pin::pin!(CHANGED.notified());
        // Registered before the look, so that the last one is not missed.
        settled.as_mut().enable();
        if active() == 0 {
            return;
        }
        settled.await;
    }
}
