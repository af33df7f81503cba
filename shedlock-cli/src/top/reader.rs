//! Reads the store again and again, in a task of its own, so that a slow store does not hold up the keys.

use std::sync::Arc;
use std::time::Duration;

use shedlock_dashboard::{Observer, Snapshot};
use shedlock_runtime::{LockAdmin, printable};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The task that reads the store. It ends with its owner.
#[derive(Debug)]
pub(super) struct Reader {
    task: JoinHandle<()>,
    hurry: Arc<Notify>,
}

/// A snapshot, or why there is none, in one line.
pub(super) type Answer = Result<Snapshot, String>;

impl Reader {
    /// Reads the store now and `every` so often. What was read comes out of the receiver, which holds up the next look until it is taken.
    pub(super) fn start(
        store: Arc<dyn LockAdmin>,
        every: Duration,
    ) -> (Self, mpsc::Receiver<Answer>) {
        let (sender, receiver) = mpsc::channel(1);
        let hurry = Arc::new(Notify::new());
        let called = Arc::clone(&hurry);
        let task = tokio::spawn(async move {
            let mut observer = Observer::new(store);
            loop {
                let read = observer.snapshot().await;
                let answer = read.map_err(|error| printable(&error.to_string()).into_owned());
                if sender.send(answer).await.is_err() {
                    return;
                }
                // Early or late: the store is read next.
                let _called = timeout(every, called.notified()).await;
            }
        });
        (Self { task, hurry }, receiver)
    }

    /// Reads the store without waiting for its time.
    pub(super) fn hurry(&self) {
        self.hurry.notify_one();
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}
