//! Reads a store again and again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::{StreamExt as _, stream};
use shedlock_runtime::{BootInstant, Expiry, LockAdmin, LockError, LockInfo, RunRecord};

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
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads the locks of a store, and remembers their last runs.
///
/// Each snapshot is one request that lists the locks. If the provider keeps a history of runs, up to 32 requests more read the runs of the
/// locks whose records changed, those first that were read the longest time ago. An observer remembers at most 50 runs of each lock that the
/// store lists.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// use std::sync::Arc;
/// use std::time::{Duration, SystemTime};
///
/// use shedlock_dashboard::{LockState, Observer};
/// use shedlock_runtime::{InMemoryLockProvider, LockAdmin as _};
///
/// let provider = InMemoryLockProvider::new();
/// let mut observer = Observer::new(Arc::new(provider.clone()));
/// assert!(observer.snapshot().await?.locks.is_empty());
///
/// provider.pause("mail", SystemTime::now() + Duration::from_secs(60), "moving the mail server").await?;
/// assert_eq!(observer.snapshot().await?.locks[0].state, LockState::Paused);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Observer {
    store: Arc<dyn LockAdmin>,
    known: HashMap<String, Known>,
    keeps_history: bool,
}

#[derive(Debug)]
struct Known {
    record: LockInfo,
    runs: Arc<[RunRecord]>,
    lease: Duration,
    was_extended: bool,
    read: Option<BootInstant>,
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
    /// A history that cannot be read is a [`Warning`](crate::Warning) in the snapshot.
    ///
    /// # Errors
    ///
    /// The error of the store if the locks cannot be read. The next call asks the store again.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time. Then the next call reads what this call did not.
    pub async fn snapshot(&mut self) -> Result<Snapshot, LockError> {
        let sent = Instant::now();
        let locks = self.store.list().await?;
        let round_trip = sent.elapsed();
        let info = self.store.info();
        let read_at = info.clock().utc();
        let clock_difference = match info.capabilities().expiry() {
            // The node that reads has reckoned with its own clock.
            Expiry::ByClientClock | Expiry::ByObservation => None,
            _ => clock_difference(&locks, read_at, round_trip),
        };
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
        self.compare(&locks, now);
        let mut warnings = Vec::new();
        if self.keeps_history
            && let Err(error) = self.read_runs().await
        {
            warnings.push(warnings::of_history(&error));
        }
        warnings.extend(clock_difference.and_then(warnings::of_clocks));
        for lock in locks {
            let known = self.known.get(&lock.name);
            let runs = known.map(|known| Arc::clone(&known.runs));
            let lease = known.map_or(lock.remaining, |known| known.lease);
            let row = LockRow::new(lock, runs.unwrap_or_default(), lease, now);
            warnings.extend(warnings::of_lock(&row, now));
            snapshot.locks.push(row);
        }
        warnings.sort_by(|a, b| (&a.kind, &a.lock).cmp(&(&b.kind, &b.lock)));
        snapshot.warnings = warnings;
        Ok(snapshot)
    }

    async fn read_runs(&mut self) -> Result<(), LockError> {
        let store = &self.store;
        let clock = store.info().clock();
        let now = clock.boot();
        // The runs of nodes whose clock is ahead begin later than now.
        let until = clock.utc() + A_DAY;
        let wanted = self.wanted(now);
        let mut answers = stream::iter(wanted)
            .map(async |(name, from)| {
                let runs = store.history(&name, from..until).await;
                (name, runs)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((name, runs)) = answers.next().await {
            let Some(known) = self.known.get_mut(&name) else {
                continue;
            };
            // Also if it failed, so that the next snapshot asks for other histories first.
            known.read = Some(now);
            let mut runs = runs?;
            runs.truncate(RUNS);
            known.runs = runs.into();
            known.reads_since_change = known.reads_since_change.saturating_add(1);
        }
        Ok(())
    }

    /// Forgets the locks that the store no longer lists, and notes which records changed.
    fn compare(&mut self, locks: &[LockInfo], now: SystemTime) {
        let mut before = std::mem::take(&mut self.known);
        for lock in locks {
            let mut known = before
                .remove(&lock.name)
                .unwrap_or_else(|| Known::new(lock.clone(), now));
            known.update(lock, now);
            self.known.insert(lock.name.clone(), known);
        }
    }

    /// The locks whose history may have changed, and since when their runs are of interest: those first that were read the longest time ago,
    /// so that none waits for ever.
    fn wanted(&self, now: BootInstant) -> Vec<(String, SystemTime)> {
        let is_due = |known: &Known| {
            // No history has runs of a lock with an impossible name.
            known.record.problem.is_none()
                && (known.reads_since_change < READS_AFTER_CHANGE
                    || known
                        .read
                        .is_none_or(|read| now.saturating_since(read) > STALE))
        };
        let mut due: Vec<_> = self
            .known
            .iter()
            .filter(|(_, known)| is_due(known))
            .collect();
        due.sort_by_key(|(name, known)| (known.read, !known.record.is_held(), name.as_str()));
        due.truncate(READS);
        due.into_iter()
            .map(|(name, known)| (name.clone(), known.oldest_of_interest()))
            .collect()
    }
}

impl Known {
    fn new(record: LockInfo, now: SystemTime) -> Self {
        Self {
            runs: Arc::default(),
            lease: whole_lease(&record, now),
            was_extended: false,
            read: None,
            reads_since_change: 0,
            record,
        }
    }

    fn update(&mut self, record: &LockInfo, now: SystemTime) {
        if is_changed(&self.record, record) {
            self.reads_since_change = 0;
        }
        if !is_same_hold(&self.record, record) {
            self.lease = whole_lease(record, now);
            self.was_extended = false;
        } else if is_extended(&self.record, record) && !self.was_extended {
            self.lease = record.remaining;
            self.was_extended = true;
        } else {
            self.lease = self.lease.max(record.remaining);
        }
        self.record = record.clone();
    }

    /// Runs that began earlier than all that are kept have no place.
    fn oldest_of_interest(&self) -> SystemTime {
        let oldest = self.runs.get(RUNS - 1);
        oldest.map_or(SystemTime::UNIX_EPOCH, |run| run.began)
    }
}

/// Whether another run may have begun or ended.
fn is_changed(before: &LockInfo, now: &LockInfo) -> bool {
    before.since != now.since
        || before.fencing_token != now.fencing_token
        || before.is_held() != now.is_held()
        || before.paused != now.paused
        || before.released != now.released
}

/// Whether both are records of one acquisition, which is held.
fn is_same_hold(before: &LockInfo, now: &LockInfo) -> bool {
    before.is_held()
        && now.is_held()
        && before.since == now.since
        && before.fencing_token == now.fencing_token
        && before.node == now.node
        && before.released == now.released
}

/// Whether the lease was extended between two records of one acquisition. What a store reckons from what is left may differ by some
/// milliseconds from one time to the next.
fn is_extended(before: &LockInfo, now: &LockInfo) -> bool {
    const JITTER: Duration = Duration::from_millis(50);
    match (before.until, now.until) {
        (Some(before), Some(now)) => now.duration_since(before).is_ok_and(|by| by > JITTER),
        _ => now.remaining > before.remaining,
    }
}

/// The length of a lease of which no extension was seen.
fn whole_lease(lock: &LockInfo, now: SystemTime) -> Duration {
    let passed = lock.since.and_then(|since| now.duration_since(since).ok());
    lock.remaining.saturating_add(passed.unwrap_or_default())
}

/// A held lock's record tells the time of the store's clock: its end less what is left of it. The store read its clock at some time while the
/// request was on its way, for one lock later than for another; a difference that the round trip explains is none.
fn clock_difference(
    locks: &[LockInfo],
    answered: SystemTime,
    round_trip: Duration,
) -> Option<ClockDifference> {
    let store_time = locks
        .iter()
        .filter(|lock| lock.is_held())
        .filter_map(|lock| lock.until?.checked_sub(lock.remaining))
        .max()?;
    Some(match store_time.duration_since(answered) {
        Ok(ahead) => ClockDifference::Ahead(ahead),
        Err(behind) if behind.duration() <= round_trip => ClockDifference::Ahead(Duration::ZERO),
        Err(behind) => ClockDifference::Behind(behind.duration().saturating_sub(round_trip)),
    })
}
