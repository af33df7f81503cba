//! Reads the store while somebody looks, once for all who look.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use shedlock_runtime::{LockAdmin, printable};
use tokio::sync::{Mutex as AsyncMutex, Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::{Observer, Snapshot};

/// How long a request waits for the store. After that the page shows what was known before.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the store is still read after the last request of a page without a stream.
const LINGER: Duration = Duration::from_secs(15);

/// The last snapshot, and how the last attempt to read ended.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    /// The last snapshot; `None` if the store has not answered yet.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    /// When the last read that has ended began.
    asked: Option<Instant>,
    /// When the last snapshot had arrived.
    answered: Option<Instant>,
    /// Why the last read failed, escaped for display; `None` if it did not fail.
    pub(super) failure: Option<Arc<str>>,
}

impl View {
    /// How old the snapshot is.
    pub(super) fn age(&self) -> Duration {
        self.answered
            .map_or(Duration::ZERO, |answered| answered.elapsed())
    }
}

/// Reads the store in the background. At most one task of a reader runs at any time, and only while somebody looks.
#[derive(Debug)]
pub(super) struct Reader(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    observer: AsyncMutex<Observer>,
    views: watch::Sender<View>,
    every: Duration,
    now: Notify,
    looks: Mutex<Looks>,
}

#[derive(Debug)]
struct Looks {
    last: Instant,
    task: Option<AbortHandle>,
}

impl Reader {
    pub(super) fn new(store: Arc<dyn LockAdmin>, every: Duration) -> Self {
        Self(Arc::new(Shared {
            observer: AsyncMutex::new(Observer::new(store)),
            views: watch::Sender::default(),
            every,
            now: Notify::new(),
            looks: Mutex::new(Looks {
                last: Instant::now(),
                task: None,
            }),
        }))
    }

    /// What is known, read no longer ago than two refreshes if the store answers in time.
    pub(super) async fn view(&self) -> View {
        self.look();
        let recent = self.0.every * 2;
        self.wait(|view| view.asked.is_some_and(|asked| asked.elapsed() <= recent))
            .await
    }

    /// What is known, read after `moment` if the store answers in time.
    pub(super) async fn view_after(&self, moment: Instant) -> View {
        self.look();
        self.0.now.notify_one();
        self.wait(|view| view.asked.is_some_and(|asked| asked >= moment))
            .await
    }

    /// Every view from now on. The store is read until the receiver is dropped.
    pub(super) fn views(&self) -> watch::Receiver<View> {
        let views = self.0.views.subscribe();
        self.look();
        views
    }

    async fn wait(&self, is_good: impl FnMut(&View) -> bool) -> View {
        let mut views = self.0.views.subscribe();
        // The sender is there as long as this reader is, and a store that does not answer in time is part of the view.
        drop(timeout(PATIENCE, views.wait_for(is_good)).await);
        views.borrow().clone()
    }

    /// Notes that somebody looks, and begins to read if nothing reads.
    fn look(&self) {
        let mut looks = self.0.looks();
        looks.last = Instant::now();
        // A task may also have ended with its runtime.
        if looks.task.as_ref().is_none_or(AbortHandle::is_finished) {
            let reading = tokio::spawn(Arc::clone(&self.0).read());
            looks.task = Some(reading.abort_handle());
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(task) = self.0.looks().task.take() {
            task.abort();
        }
    }
}

impl Shared {
    async fn read(self: Arc<Self>) {
        loop {
            self.read_once().await;
            tokio::select! {
                () = sleep(self.every) => {}
                () = self.now.notified() => {}
            }
            if self.nobody_looks() {
                return;
            }
        }
    }

    async fn read_once(&self) {
        let asked = Instant::now();
        let read = self.observer.lock().await.snapshot().await;
        self.views.send_modify(|view| {
            view.asked = Some(asked);
            match read {
                Ok(snapshot) => {
                    view.snapshot = Some(Arc::new(snapshot));
                    view.answered = Some(Instant::now());
                    view.failure = None;
                }
                // The cause is not shown: a driver's text may repeat what it was configured with.
                Err(error) => view.failure = Some(printable(&error.to_string()).into()),
            }
        });
    }

    /// Whether the task may end. If so, it is forgotten in the same moment.
    fn nobody_looks(&self) -> bool {
        let mut looks = self.looks();
        let is_over = self.views.receiver_count() == 0 && looks.last.elapsed() > LINGER;
        if is_over {
            looks.task = None;
        }
        is_over
    }

    fn looks(&self) -> std::sync::MutexGuard<'_, Looks> {
        // Nothing panics while it is locked.
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
