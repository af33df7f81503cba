//! Listeners: code of the program that is called with every event of its locks, and can neither stop nor delay a lock.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use arc_swap::ArcSwap;
use once_cell::sync::Lazy;
use tracing::warn;

use crate::observe::event::LockEvent;
use crate::values::error::{ErrorKind, LockError};

/// How many events wait for a slow listener. Further events are dropped and counted.
const MAX_WAITING: usize = 1_024;

static SUBSCRIBERS: Lazy<ArcSwap<Vec<Arc<Subscriber>>>> = Lazy::new(ArcSwap::default);
/// The number of subscribers. Read on every event, so it is stored apart from the list and needs no mutex.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Code of the program that is called with every event of the locks of this process.
///
/// Each listener is called on a thread of its own, one event at a time and in order, so it may block. A panic of a listener
/// is logged. A listener that is more than 1,024 events behind misses events; that is logged, and counted by
/// [`ListenerGuard::missed`]. A closure is a listener.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{EventKind, LockEvent, SchedulerLock};
///
/// let listening = SchedulerLock::listen(|event: &LockEvent| {
///     if let EventKind::Lost(reason) = &event.kind {
///         eprintln!("lost {} ({})", event.lock, reason.as_str());
///     }
/// })?;
/// listening.detach();
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
pub trait LockListener: Send + Sync + 'static {
    /// Called for each event, after it has happened.
    fn on_event(&self, event: &LockEvent);
}

impl<F: Fn(&LockEvent) + Send + Sync + 'static> LockListener for F {
    fn on_event(&self, event: &LockEvent) {
        self(event);
    }
}

/// The guard of a listener: once the guard is dropped, the listener gets no further events.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{LockEvent, SchedulerLock};
///
/// let listening = SchedulerLock::listen(|event: &LockEvent| println!("{}: {}", event.kind.name(), event.lock))?;
/// // Nothing has happened yet, so nothing was missed.
/// assert_eq!(listening.missed(), 0);
/// drop(listening);
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
#[must_use = "dropping the guard ends the listening; call `detach` to listen as long as the program runs"]
pub struct ListenerGuard(Option<Arc<Subscriber>>);

/// One listener, as the code that emits events sees it.
struct Subscriber {
    sender: SyncSender<LockEvent>,
    waiting: Arc<AtomicUsize>,
    missed: AtomicU64,
}

impl ListenerGuard {
    /// Calls `listener` with every event from now on.
    pub(crate) fn start(listener: impl LockListener) -> Result<Self, LockError> {
        let (sender, events) = sync_channel(MAX_WAITING);
        let waiting = Arc::new(AtomicUsize::new(0));
        let handled = Arc::clone(&waiting);
        let thread = std::thread::Builder::new().name("shedlock-listener".to_owned());
        let started = thread.spawn(move || listen(&listener, &events, &handled));
        drop(started.map_err(|error| {
            LockError::new(
                ErrorKind::Other,
                "the operating system gave no thread for a listener",
            )
            .with_source(error)
        })?);
        let subscriber = Arc::new(Subscriber {
            sender,
            waiting,
            missed: AtomicU64::new(0),
        });
        change(|subscribers| subscribers.push(Arc::clone(&subscriber)));
        COUNT.fetch_add(1, Ordering::AcqRel);
        Ok(Self(Some(subscriber)))
    }

    /// Keeps the listener for as long as the program runs.
    pub fn detach(mut self) {
        self.0 = None;
    }

    /// How many events were dropped because the listener was more than 1,024 events behind.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.0
            .as_ref()
            .map_or(0, |subscriber| subscriber.missed.load(Ordering::Relaxed))
    }
}

impl Drop for ListenerGuard {
    fn drop(&mut self) {
        let Some(subscriber) = self.0.take() else {
            return;
        };
        change(|subscribers| subscribers.retain(|other| !Arc::ptr_eq(other, &subscriber)));
        COUNT.fetch_sub(1, Ordering::AcqRel);
    }
}

impl fmt::Debug for ListenerGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenerGuard")
            .field("missed", &self.missed())
            .finish_non_exhaustive()
    }
}

/// Calls `listener` with each event, until the last sender is gone and no event is left.
fn listen(listener: &impl LockListener, events: &Receiver<LockEvent>, waiting: &AtomicUsize) {
    let mut has_panicked = false;
    for event in events {
        let told = catch_unwind(AssertUnwindSafe(|| listener.on_event(&event)));
        waiting.fetch_sub(1, Ordering::AcqRel);
        if told.is_err() && !has_panicked {
            has_panicked = true;
            let name = event.kind.name();
            warn!(target: "shedlock", event = "listener.panicked", "a listener panicked at `{name}`; it goes on, and further panics of it are not logged");
        }
    }
}

fn change(change: impl Fn(&mut Vec<Arc<Subscriber>>)) {
    SUBSCRIBERS.rcu(|subscribers| {
        let mut subscribers = Vec::clone(subscribers);
        change(&mut subscribers);
        subscribers
    });
}

/// Whether the program has a listener.
pub(crate) fn any() -> bool {
    COUNT.load(Ordering::Acquire) > 0
}

/// Passes `event` on to every listener, without waiting for a listener.
pub(crate) fn tell(event: &LockEvent) {
    for subscriber in SUBSCRIBERS.load().iter() {
        subscriber.waiting.fetch_add(1, Ordering::AcqRel);
        if subscriber.sender.try_send(event.clone()).is_ok() {
            continue;
        }
        subscriber.waiting.fetch_sub(1, Ordering::AcqRel);
        if subscriber.missed.fetch_add(1, Ordering::Relaxed) == 0 {
            warn!(target: "shedlock", event = "listener.slow", "a listener is {MAX_WAITING} events behind, so it misses some");
        }
    }
}

/// Whether some listener has not been called with every event yet.
pub(crate) fn are_behind() -> bool {
    let subscribers = SUBSCRIBERS.load();
    subscribers
        .iter()
        .any(|subscriber| subscriber.waiting.load(Ordering::Acquire) > 0)
}
