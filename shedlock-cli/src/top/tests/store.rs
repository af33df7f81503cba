//! A store whose records and runs a test writes down.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use shedlock_dashboard::{Observer, Snapshot};
use shedlock_runtime::testing::ManualClock;
use shedlock_runtime::{
    AcquireRequest, Acquisition, Lease, LockError, LockInfo, LockName, LockProvider, LockRecords,
    Overrule, Ownership, ProviderInfo, RunHistory, RunOutcome, RunRecord, Selection, async_trait,
};

/// What the store's clock shows.
pub(super) fn now() -> SystemTime {
    let night: jiff::Timestamp = "2025-11-29T02:14:00Z".parse().unwrap();
    night.into()
}

/// A record whose lock was taken `held` seconds ago and has `left` seconds left.
pub(super) fn record(name: &str, owner: &str, held: u64, left: u64) -> LockInfo {
    let since = now() - Duration::from_secs(held);
    let until = now() + Duration::from_secs(left);
    LockInfo::from_record(name, owner, Some(since), until, now())
        .with_fencing_token(Some(1_764_382_000_000_000 + held))
}

/// The record of a lock that was free for `ago` seconds, after a run of a minute.
pub(super) fn freed(name: &str, owner: &str, ago: u64) -> LockInfo {
    let until = now() - Duration::from_secs(ago);
    let since = until - Duration::from_mins(1);
    LockInfo::from_record(name, owner, Some(since), until, now()).with_fencing_token(Some(7))
}

/// A run of `lock` that began `ago` seconds ago and took `took` seconds.
pub(super) fn run(lock: &str, node: &str, ago: u64, took: u64, outcome: RunOutcome) -> RunRecord {
    let began = now() - Duration::from_secs(ago);
    let ran = began..began + Duration::from_secs(took);
    RunRecord::new(lock, node, ran, outcome).with_fencing_token(Some(90_000 - ago))
}

/// What an observer makes of these records and runs.
pub(super) async fn snapshot(locks: Vec<LockInfo>, runs: Vec<RunRecord>) -> Snapshot {
    let store = Written {
        info: ProviderInfo::new("postgres")
            .with_node_name("laptop")
            .with_clock(ManualClock::at(now())),
        locks,
        runs: Runs(runs),
    };
    let mut snapshot = Observer::new(Arc::new(store)).snapshot().await.unwrap();
    snapshot.round_trip = Duration::from_millis(3);
    snapshot
}

#[derive(Debug)]
struct Written {
    info: ProviderInfo,
    locks: Vec<LockInfo>,
    runs: Runs,
}

#[derive(Debug)]
struct Runs(Vec<RunRecord>);

#[async_trait]
impl RunHistory for Runs {
    async fn append(&self, _: &RunRecord) -> Result<(), LockError> {
        unreachable!("nothing runs")
    }

    async fn runs(
        &self,
        lock: &LockName,
        _: Range<SystemTime>,
    ) -> Result<Vec<RunRecord>, LockError> {
        let of_lock = |run: &&RunRecord| run.lock == lock.as_str();
        let mut runs: Vec<_> = self.0.iter().filter(of_lock).cloned().collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.began));
        Ok(runs)
    }
}

#[async_trait]
impl LockProvider for Written {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn acquire(&self, _: &AcquireRequest) -> Result<Acquisition, LockError> {
        unreachable!("no lock is taken")
    }

    async fn extend(&self, _: &Lease, _: Duration) -> Result<Ownership, LockError> {
        unreachable!("no lock is extended")
    }

    async fn release(&self, _: &Lease, _: Duration) -> Result<Ownership, LockError> {
        unreachable!("no lock is released")
    }

    fn run_history(&self) -> Option<&dyn RunHistory> {
        Some(&self.runs)
    }
}

#[async_trait]
impl LockRecords for Written {
    async fn records(&self, _: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        Ok(self.locks.clone())
    }

    async fn overrule(&self, _: &LockName, _: &Overrule<'_>) -> Result<bool, LockError> {
        unreachable!("nothing is overruled")
    }

    async fn forget(&self, _: &str, _: Duration) -> Result<u64, LockError> {
        unreachable!("nothing is forgotten")
    }
}
