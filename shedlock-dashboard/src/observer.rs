//! Reads a store again and again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::{StreamExt as _, stream};
use shedlock_runtime::{LockAdmin, LockError, LockInfo, RunRecord};

use crate::snapshot::{ClockDifference, LockRow, Snapshot};
use crate::warnings;

/// How many runs of a lock are kept for the page.
const RUNS: usize = 50;
/// How many locks' histories one snapshot reads at most, so that a store with thousands of locks is not asked thousands of questions at once.
const READS: usize = 32;
/// How many histories are read at the same time.
const AT_ONCE: usize = 4;
/// A history is read again after this time, even if the lock's record did not change.
const STALE: Duration = Duration::from_secs(60);
/// The end of a run is written after its release, so the history is read once more after the record has changed.
const READS_AFTER_CHANGE: u8 = 2;

/// Reads the locks of a store, and remembers their last runs.
///
/// Each snapshot is one request that lists the locks. If the provider keeps a history of runs, up to 32 requests more read the runs of the
/// locks whose records changed, those of held locks first. An observer remembers at most 50 runs of each lock that the store lists.
#[derive(Debug)]
pub struct Observer {
    store: Arc<dyn LockAdmin>,
    known: HashMap<String, Known>,
    keeps_history: bool,
}

#[derive(Debug)]
struct Known {
    record: LockInfo,
    runs: Vec<RunRecord>,
    read: Option<Instant>,
    reads_since_change: u8,
}

impl Observer {
    /// An observer of the locks of `store`.
    #[must_use]
    pub fn new(store: Arc<dyn LockAdmin>) -> Self {
        let keeps_history = store.run_history().is_some();
        Self {
            store,
            known: HashMap::new(),
            keeps_history,
        }
    }

    /// Reads the locks and what changed of their runs.
    ///
    /// # Errors
    ///
    /// The error of the store. The next call asks the store again.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time. Then the next call reads what this call did not.
    pub async fn snapshot(&mut self) -> Result<Snapshot, LockError> {
        let sent = Instant::now();
        let locks = self.store.list().await?;
        let (round_trip, read_at) = (sent.elapsed(), SystemTime::now());
        let clock_difference = clock_difference(&locks, read_at, round_trip);
        if self.keeps_history {
            self.read_runs(&locks).await?;
        }
        let info = self.store.info();
        let mut snapshot = Snapshot {
            provider: info.name(),
            node: info.node_name().to_string(),
            read_at,
            round_trip,
            clock_difference,
            keeps_history: self.keeps_history,
            warnings: Vec::new(),
            locks: Vec::with_capacity(locks.len()),
        };
        let now = snapshot.store_time().unwrap_or(read_at);
        snapshot
            .warnings
            .extend(clock_difference.and_then(warnings::of_clocks));
        for lock in locks {
            let runs = self.known.get(&lock.name).map(|known| known.runs.clone());
            let row = LockRow::new(lock, runs.unwrap_or_default(), Some(now));
            snapshot.warnings.extend(warnings::of_lock(&row, now));
            snapshot.locks.push(row);
        }
        snapshot
            .warnings
            .sort_by(|a, b| (&a.kind, &a.lock).cmp(&(&b.kind, &b.lock)));
        Ok(snapshot)
    }

    async fn read_runs(&mut self, locks: &[LockInfo]) -> Result<(), LockError> {
        self.compare(locks);
        let wanted: Vec<String> = self.wanted().into_iter().map(str::to_owned).collect();
        let store = &self.store;
        let mut answers = stream::iter(wanted)
            .map(async |name| {
                let runs = store
                    .history(&name, SystemTime::UNIX_EPOCH..far_future())
                    .await;
                (name, runs)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((name, runs)) = answers.next().await {
            let mut runs = runs?;
            runs.truncate(RUNS);
            if let Some(known) = self.known.get_mut(&name) {
                known.runs = runs;
                known.read = Some(Instant::now());
                known.reads_since_change = known.reads_since_change.saturating_add(1);
            }
        }
        Ok(())
    }

    /// Forgets the locks that the store no longer lists, and notes which records changed.
    fn compare(&mut self, locks: &[LockInfo]) {
        let mut before = std::mem::take(&mut self.known);
        for lock in locks.iter().filter(|lock| lock.problem.is_none()) {
            let mut known = before.remove(&lock.name).unwrap_or_else(|| Known {
                record: lock.clone(),
                runs: Vec::new(),
                read: None,
                reads_since_change: 0,
            });
            if is_changed(&known.record, lock) {
                known.reads_since_change = 0;
            }
            known.record = lock.clone();
            self.known.insert(lock.name.clone(), known);
        }
    }

    /// The locks whose history may have changed: the held ones first, then those that were read the longest time ago.
    fn wanted(&self) -> Vec<&str> {
        let is_due = |known: &Known| {
            known.reads_since_change < READS_AFTER_CHANGE
                || known.read.is_none_or(|read| read.elapsed() > STALE)
        };
        let mut due: Vec<_> = self
            .known
            .iter()
            .filter(|(_, known)| is_due(known))
            .collect();
        due.sort_by_key(|(name, known)| (!known.record.is_held(), known.read, name.as_str()));
        due.truncate(READS);
        due.into_iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// Whether another run may have begun or ended.
fn is_changed(before: &LockInfo, now: &LockInfo) -> bool {
    before.since != now.since
        || before.fencing_token != now.fencing_token
        || before.is_held() != now.is_held()
        || before.paused != now.paused
}

/// The runs of nodes whose clock is ahead begin later than now.
fn far_future() -> SystemTime {
    SystemTime::now() + Duration::from_secs(24 * 60 * 60)
}

/// A held lock's record tells the time of the store's clock: its end less what is left of it. The store read its clock at some time while the
/// request was on its way; a difference that the round trip explains is none.
fn clock_difference(
    locks: &[LockInfo],
    answered: SystemTime,
    round_trip: Duration,
) -> Option<ClockDifference> {
    let held = locks
        .iter()
        .find(|lock| lock.is_held() && lock.until.is_some())?;
    let store_time = held.until?.checked_sub(held.remaining)?;
    match ClockDifference::between(store_time, answered) {
        ClockDifference::Behind(by) if by <= round_trip => {
            Some(ClockDifference::Behind(Duration::ZERO))
        }
        ClockDifference::Behind(by) => Some(ClockDifference::Behind(by.saturating_sub(round_trip))),
        ahead => Some(ahead),
    }
}
