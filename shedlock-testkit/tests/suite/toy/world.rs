//! The toy's server: rows, a clock, a network.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use shedlock_runtime::{ErrorKind, LockError, Position, RunRecord};
use tokio::sync::watch;

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mode {
    #[default]
    Normal,
    /// Nothing passes until it is over.
    Stalled,
    /// Requests pass, replies do not.
    Mute,
    /// Nobody listens.
    Away,
}

/// One row of the toy's table. Times count from the server's start.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) lock_until: Duration,
    pub(super) locked_at: Duration,
    pub(super) owner: String,
    pub(super) token: u64,
    pub(super) position: Option<Position>,
}

/// The server.
#[derive(Debug)]
pub(crate) struct World {
    rows: Mutex<HashMap<String, Row>>,
    has_schema: AtomicBool,
    started: Instant,
    mode: watch::Sender<Mode>,
    /// Which connections are still good: those made since the last time all were ended.
    pub(super) connections: AtomicU64,
    pub(super) last_token: AtomicU64,
    runs: Mutex<Vec<RunRecord>>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            rows: Mutex::default(),
            has_schema: AtomicBool::new(true),
            // A day ago, so that a clock that is behind does not fall off the beginning.
            started: Instant::now()
                .checked_sub(Duration::from_secs(5 * 60 * 60))
                .unwrap_or_else(Instant::now),
            mode: watch::Sender::default(),
            connections: AtomicU64::new(0),
            last_token: AtomicU64::new(0),
            runs: Mutex::default(),
        }
    }
}

impl World {
    pub(super) fn rows(&self) -> MutexGuard<'_, HashMap<String, Row>> {
        self.rows.lock().unwrap()
    }

    /// The history of runs, in the order of their entry.
    pub(super) fn runs(&self) -> MutexGuard<'_, Vec<RunRecord>> {
        self.runs.lock().unwrap()
    }

    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The time of day of an instant by the server's clock.
    pub(super) fn time_of_day(&self, instant: Duration) -> SystemTime {
        SystemTime::now() + instant - self.now()
    }

    pub(super) fn set_mode(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    pub(super) fn set_schema(&self, exists: bool) {
        self.has_schema.store(exists, Ordering::SeqCst);
        self.rows().clear();
    }

    pub(super) fn end_connections(&self) {
        self.connections.fetch_add(1, Ordering::SeqCst);
    }

    /// What a request passes through.
    pub(super) async fn request(&self) -> Result<(), LockError> {
        tokio::task::yield_now().await;
        self.pass_unless(Mode::Stalled).await;
        if *self.mode.borrow() == Mode::Away {
            return Err(LockError::new(
                ErrorKind::Unavailable,
                "nobody listens at toy://user:***@nowhere",
            ));
        }
        if !self.has_schema.load(Ordering::SeqCst) {
            return Err(LockError::new(ErrorKind::Schema, "there is no table")
                .with_remedy("CREATE TABLE toys (..)"));
        }
        Ok(())
    }

    /// What a reply passes through.
    pub(super) async fn reply(&self) {
        tokio::task::yield_now().await;
        self.pass_unless(Mode::Stalled).await;
        if *self.mode.borrow() == Mode::Mute {
            std::future::pending::<()>().await;
        }
    }

    async fn pass_unless(&self, stopped: Mode) {
        let mut mode = self.mode.subscribe();
        mode.wait_for(|mode| *mode != stopped).await.unwrap();
    }
}
