//! Locked jobs on real schedulers and real stores.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]

mod bad_input;
mod mishaps;
mod shutdown;
mod two_nodes;
mod zones;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use shedlock_runtime::{LockProvider, ToDuration};
use shedlock_tokio_cron_scheduler::LockedScheduler;
use tokio::time::{Instant, sleep};
use tokio_cron_scheduler::JobScheduler;

/// For everything that happens within seconds, on a machine with much else to do.
const LIMIT: Duration = Duration::from_secs(60);

/// A scheduler without jobs.
async fn scheduler(provider: impl LockProvider, at_most: impl ToDuration) -> LockedScheduler {
    let scheduler = JobScheduler::new().await.unwrap();
    LockedScheduler::new(scheduler, provider, at_most).unwrap()
}

/// What runs have left behind, in the order of their starts.
#[derive(Debug)]
struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> Log<T> {
    fn new() -> Self {
        Self(Arc::default())
    }

    fn push(&self, entry: T) {
        self.0.lock().unwrap().push(entry);
    }

    fn entries(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until there are `count` entries.
    async fn wait_for(&self, count: usize) -> Vec<T> {
        let until = Instant::now() + LIMIT;
        loop {
            let entries = self.entries();
            if entries.len() >= count {
                return entries;
            }
            assert!(Instant::now() < until, "{} of {count} runs", entries.len());
            sleep(Duration::from_millis(20)).await;
        }
    }
}
