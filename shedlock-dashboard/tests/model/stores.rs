//! Stores that say what a test tells them.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use shedlock_dashboard::{LockRow, Observer, Snapshot};
use shedlock_runtime::testing::ManualClock;
use shedlock_runtime::{
    AcquireRequest, Acquisition, Capabilities, Clock as _, ErrorKind, HistoryOptions,
    InMemoryLockProvider, Lease, LockAdmin, LockError, LockInfo, LockName, LockProvider,
    LockRecords, Overrule, Ownership, ProviderInfo, RunHistory, RunRecord, Selection, async_trait,
};

/// A store of which only the answers to an operator matter.
#[derive(Debug, Clone)]
pub(crate) struct Scripted(Arc<Script>);

#[derive(Debug)]
struct Script {
    info: ProviderInfo,
    history: Option<ScriptedHistory>,
    locks: Mutex<Vec<LockInfo>>,
    fails: Mutex<Option<ErrorKind>>,
}

/// The runs of all locks, and which were read since when.
#[derive(Debug, Default)]
pub(crate) struct ScriptedHistory {
    runs: Mutex<Vec<RunRecord>>,
    broken: Mutex<Option<String>>,
    reads: Mutex<Vec<(String, SystemTime)>>,
}

impl Scripted {
    pub(crate) fn new(clock: &ManualClock) -> Self {
        Self::with(clock, Capabilities::new(), None)
    }

    pub(crate) fn with_history(clock: &ManualClock) -> Self {
        let history = Some(ScriptedHistory::default());
        Self::with(clock, Capabilities::new(), history)
    }

    pub(crate) fn with(
        clock: &ManualClock,
        capabilities: Capabilities,
        history: Option<ScriptedHistory>,
    ) -> Self {
        let info = ProviderInfo::new("scripted")
            .with_clock(clock.clone())
            .with_capabilities(capabilities);
        Self(Arc::new(Script {
            info,
            history,
            locks: Mutex::default(),
            fails: Mutex::default(),
        }))
    }

    pub(crate) fn observer(&self) -> Observer {
        Observer::new(Arc::new(self.clone()))
    }

    pub(crate) fn lists(&self, locks: impl IntoIterator<Item = LockInfo>) {
        *self.0.locks.lock().unwrap() = locks.into_iter().collect();
    }

    pub(crate) fn fails(&self, kind: Option<ErrorKind>) {
        *self.0.fails.lock().unwrap() = kind;
    }

    pub(crate) fn ran(&self, runs: impl IntoIterator<Item = RunRecord>) {
        let mut kept = self.history().runs.lock().unwrap();
        kept.extend(runs);
        kept.sort_by_key(|run| std::cmp::Reverse(run.began));
    }

    /// Every history fails from now on; with a name, that of this lock alone.
    pub(crate) fn breaks_history_of(&self, lock: Option<&str>) {
        *self.history().broken.lock().unwrap() = lock.map(str::to_owned);
    }

    /// The histories that were read since the last call, and since when.
    pub(crate) fn reads(&self) -> Vec<(String, SystemTime)> {
        std::mem::take(&mut *self.history().reads.lock().unwrap())
    }

    fn history(&self) -> &ScriptedHistory {
        self.0.history.as_ref().expect("a store with a history")
    }
}

#[async_trait]
impl RunHistory for ScriptedHistory {
    async fn append(&self, _: &RunRecord) -> Result<(), LockError> {
        unreachable!("an observer writes nothing")
    }

    async fn runs(
        &self,
        lock: &LockName,
        began: Range<SystemTime>,
    ) -> Result<Vec<RunRecord>, LockError> {
        let mut reads = self.reads.lock().unwrap();
        reads.push((lock.as_str().to_owned(), began.start));
        if self.broken.lock().unwrap().as_deref() == Some(lock.as_str()) {
            return Err(LockError::new(ErrorKind::Schema, "the table has gone"));
        }
        let runs = self.runs.lock().unwrap();
        let of_lock = |run: &&RunRecord| run.lock == lock.as_str() && began.contains(&run.began);
        Ok(runs.iter().filter(of_lock).cloned().collect())
    }
}

#[async_trait]
impl LockProvider for Scripted {
    fn info(&self) -> &ProviderInfo {
        &self.0.info
    }

    async fn acquire(&self, _: &AcquireRequest) -> Result<Acquisition, LockError> {
        unreachable!("an observer takes no lock")
    }

    async fn extend(&self, _: &Lease, _: Duration) -> Result<Ownership, LockError> {
        unreachable!("an observer extends no lock")
    }

    async fn release(&self, _: &Lease, _: Duration) -> Result<Ownership, LockError> {
        unreachable!("an observer releases no lock")
    }

    fn run_history(&self) -> Option<&dyn RunHistory> {
        self.0.history.as_ref().map(|history| history as _)
    }
}

#[async_trait]
impl LockRecords for Scripted {
    async fn records(&self, _: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        let fails = *self.0.fails.lock().unwrap();
        if let Some(kind) = fails {
            return Err(LockError::new(kind, "the store has gone"));
        }
        Ok(self.0.locks.lock().unwrap().clone())
    }

    async fn overrule(&self, _: &LockName, _: &Overrule<'_>) -> Result<bool, LockError> {
        unreachable!("an observer changes nothing")
    }

    async fn forget(&self, _: &str, _: Duration) -> Result<u64, LockError> {
        unreachable!("an observer changes nothing")
    }
}

/// Locks in memory, by a clock that the test moves.
pub(crate) fn memory(clock: &ManualClock) -> InMemoryLockProvider {
    InMemoryLockProvider::with_clock(clock.clone()).with_history(HistoryOptions::new())
}

/// The record of `name`, held since a minute by `node` and for `left` by a clock that shows `now`.
pub(crate) fn held(name: &str, node: &str, now: SystemTime, left: Duration) -> LockInfo {
    let since = now - Duration::from_secs(60);
    LockInfo::from_record(name, node, Some(since), now + left, now)
}

pub(crate) async fn snapshot(observer: &mut Observer) -> Snapshot {
    observer.snapshot().await.expect("the store answers")
}

pub(crate) async fn first(observer: &mut Observer) -> LockRow {
    snapshot(observer).await.locks.swap_remove(0)
}

pub(crate) fn now(clock: &ManualClock) -> SystemTime {
    clock.utc()
}

/// For stores that are not [`Scripted`].
pub(crate) fn observe(store: impl LockAdmin + 'static) -> Observer {
    Observer::new(Arc::new(store))
}
