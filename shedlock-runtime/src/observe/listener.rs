//! Listeners: a program's own eyes on its locks, which can neither stop nor slow them.

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

/// More events than this do not wait for a listener: the next ones are dropped and counted.
const WAITING: usize = 1_024;

static LINES: Lazy<ArcSwap<Vec<Arc<Line>>>> = Lazy::new(ArcSwap::default);
/// How many lines there are: read on every event, so without the pointer.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Hears of everything that happens to the locks of this process.
///
/// Each listener is called on a thread of its own, one event at a time and in order: it may block, and a panic of its
/// harms nobody. One that is more than 1,024 events behind misses some; that is logged, and counted by
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

/// A listener at work: dropped, it hears no more.
#[must_use = "dropping it ends the listening; call `detach` to listen as long as the program runs"]
pub struct ListenerGuard(Option<Arc<Line>>);

/// The way to one listener.
struct Line {
    sender: SyncSender<LockEvent>,
    waiting: Arc<AtomicUsize>,
    missed: AtomicU64,
}

impl ListenerGuard {
    /// Calls `listener` with every event from now on.
    pub(crate) fn start(listener: impl LockListener) -> Result<Self, LockError> {
        let (sender, events) = sync_channel(WAITING);
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
        let line = Arc::new(Line {
            sender,
            waiting,
            missed: AtomicU64::new(0),
        });
        change(|lines| lines.push(Arc::clone(&line)));
        COUNT.fetch_add(1, Ordering::AcqRel);
        Ok(Self(Some(line)))
    }

    /// Listens as long as the program runs.
    pub fn detach(mut self) {
        self.0 = None;
    }

    /// How many events the listener has missed because it was too slow.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.0
            .as_ref()
            .map_or(0, |line| line.missed.load(Ordering::Relaxed))
    }
}

impl Drop for ListenerGuard {
    fn drop(&mut self) {
        let Some(line) = self.0.take() else { return };
        change(|lines| lines.retain(|other| !Arc::ptr_eq(other, &line)));
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

/// Ends when the last sender is gone, with all events told.
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

fn change(change: impl Fn(&mut Vec<Arc<Line>>)) {
    LINES.rcu(|lines| {
        let mut lines = Vec::clone(lines);
        change(&mut lines);
        lines
    });
}

/// Whether anybody listens.
pub(crate) fn any() -> bool {
    COUNT.load(Ordering::Acquire) > 0
}

/// Passes `event` on to every listener, without waiting for any.
pub(crate) fn tell(event: &LockEvent) {
    for line in LINES.load().iter() {
        line.waiting.fetch_add(1, Ordering::AcqRel);
        if line.sender.try_send(event.clone()).is_ok() {
            continue;
        }
        line.waiting.fetch_sub(1, Ordering::AcqRel);
        if line.missed.fetch_add(1, Ordering::Relaxed) == 0 {
            warn!(target: "shedlock", event = "listener.slow", "a listener is {WAITING} events behind, so it misses some");
        }
    }
}

/// Whether some listener has not heard everything yet.
pub(crate) fn are_behind() -> bool {
    let lines = LINES.load();
    lines
        .iter()
        .any(|line| line.waiting.load(Ordering::Acquire) > 0)
}
