//! A store that knows what a test says, so that each state of a lock can be shown at any time.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use shedlock_runtime::{
    AcquireRequest, Acquisition, ErrorKind, Lease, LockError, LockInfo, LockName, LockProvider,
    LockRecords, OperatorMark, Overrule, Ownership, ProviderInfo, RunHistory, RunOutcome,
    RunRecord, Selection, async_trait,
};
use tokio::sync::Notify;

/// Locks and runs that do not change. Nobody can take or change a lock of a scene.
#[derive(Debug)]
pub(crate) struct Scene {
    info: ProviderInfo,
    now: SystemTime,
    state: Mutex<State>,
    gate: Option<Arc<Gate>>,
}

/// A store that says that it was asked to change a lock, and answers when it is told to.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    pub(crate) asked: Notify,
    pub(crate) opened: Notify,
}

#[derive(Debug, Default)]
struct State {
    locks: Vec<LockInfo>,
    runs: Vec<RunRecord>,
    failure: Option<&'static str>,
    hangs: bool,
    reads: usize,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self {
            info: ProviderInfo::new("scene").with_node_name("ops-1"),
            now: SystemTime::now(),
            state: Mutex::default(),
            gate: None,
        }
    }

    /// The store says that it did what it was asked for, once the gate is open.
    pub(crate) fn gated(mut self, gate: &Arc<Gate>) -> Self {
        self.gate = Some(Arc::clone(gate));
        self
    }

    fn with(self, change: impl FnOnce(&mut State, SystemTime)) -> Self {
        change(&mut self.state.lock().unwrap(), self.now);
        self
    }

    /// A lock that `node` took `held` seconds ago, for `left` seconds more.
    pub(crate) fn held(self, name: &str, node: &str, held: u64, left: u64, token: u64) -> Self {
        self.with(|state, now| {
            let (since, until) = (now - seconds(held), now + seconds(left));
            let info = LockInfo::from_record(name, node, Some(since), until, now);
            state.locks.push(info.with_fencing_token(Some(token)));
        })
    }

    /// The last lock was released, and is kept taken by its `at_least`.
    pub(crate) fn kept(self) -> Self {
        self.with(|state, _| {
            let last = state.locks.pop().unwrap();
            state.locks.push(last.with_released(Some(true)));
        })
    }

    /// A lock whose lease ended `ago` seconds before now, and which nobody has released.
    pub(crate) fn expired(self, name: &str, node: &str, ago: u64, token: u64) -> Self {
        self.with(|state, now| {
            let until = now - seconds(ago);
            let info = LockInfo::from_record(name, node, Some(until - seconds(600)), until, now);
            let info = info.with_released(Some(false));
            state.locks.push(info.with_fencing_token(Some(token)));
        })
    }

    pub(crate) fn free(self, name: &str) -> Self {
        self.with(|state, now| {
            let (since, until) = (now - seconds(120), now - seconds(60));
            let info = LockInfo::from_record(name, "web-1", Some(since), until, now);
            state.locks.push(info.with_fencing_token(Some(7)));
        })
    }

    pub(crate) fn paused(self, name: &str, reason: &str) -> Self {
        self.with(|state, now| {
            let (mark, until) = (OperatorMark::paused(reason), now + seconds(5_400));
            let since = Some(now - seconds(1_200));
            let info = LockInfo::from_record(name, &mark.to_string(), since, until, now);
            state.locks.push(info);
        })
    }

    pub(crate) fn unreadable(self, name: &str, problem: &str) -> Self {
        self.with(|state, _| state.locks.push(LockInfo::unreadable(name, problem)))
    }

    /// A run that began `ago` seconds before now.
    pub(crate) fn run(
        self,
        lock: &str,
        node: &str,
        ago: u64,
        took: u64,
        outcome: RunOutcome,
        token: u64,
    ) -> Self {
        self.with(|state, now| {
            let began = now - seconds(ago);
            let run = RunRecord::new(lock, node, began..began + seconds(took), outcome);
            let run = run.with_fencing_token(Some(token));
            state.runs.push(match outcome {
                RunOutcome::Failed => run.with_error("out of <b>paper</b>"),
                _ => run,
            });
        })
    }

    /// Runs every ten minutes, the last one `ago` seconds before now.
    pub(crate) fn runs(mut self, lock: &str, nodes: &[&str], ago: u64, took: u64) -> Self {
        for (at, token) in (0..12_u64).zip((1..=12).rev()) {
            let node = nodes[usize::try_from(at).unwrap() % nodes.len()];
            let outcome = match at {
                4 => RunOutcome::Failed,
                _ => RunOutcome::Completed,
            };
            self = self.run(lock, node, ago + at * 600, took, outcome, token);
        }
        self
    }

    /// From now on, the store fails with this problem; with `None` it answers again.
    pub(crate) fn fail(&self, problem: Option<&'static str>) {
        self.state.lock().unwrap().failure = problem;
    }

    /// From now on, the store does not answer.
    pub(crate) fn hang(&self) {
        self.state.lock().unwrap().hangs = true;
    }

    /// How long ago the scene was made. Its times move along, so that it looks the same however long a test takes.
    fn age(&self) -> Duration {
        self.now.elapsed().unwrap_or_default()
    }

    /// How often the locks were listed.
    pub(crate) fn reads(&self) -> usize {
        self.state.lock().unwrap().reads
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[async_trait]
impl LockRecords for Scene {
    async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        let hangs = {
            let mut state = self.state.lock().unwrap();
            state.reads += 1;
            state.hangs
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        let state = self.state.lock().unwrap();
        if let Some(problem) = state.failure {
            return Err(LockError::new(ErrorKind::Unavailable, problem));
        }
        let wanted = state
            .locks
            .iter()
            .filter(|lock| selection.contains(&lock.name));
        let age = self.age();
        let moved = |lock: &LockInfo| {
            let mut lock = lock.clone();
            lock.since = lock.since.map(|since| since + age);
            lock.until = lock.until.map(|until| until + age);
            lock
        };
        Ok(wanted.map(moved).collect())
    }

    async fn overrule(&self, _: &LockName, _: &Overrule<'_>) -> Result<bool, LockError> {
        let gate = self.gate.as_ref().ok_or_else(still)?;
        gate.asked.notify_one();
        gate.opened.notified().await;
        Ok(true)
    }

    async fn forget(&self, _: &str, _: Duration) -> Result<u64, LockError> {
        Err(still())
    }
}

#[async_trait]
impl LockProvider for Scene {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn acquire(&self, _: &AcquireRequest) -> Result<Acquisition, LockError> {
        Err(still())
    }

    async fn extend(&self, _: &Lease, _: Duration) -> Result<Ownership, LockError> {
        Err(still())
    }

    async fn release(&self, _: &Lease, _: Duration) -> Result<Ownership, LockError> {
        Err(still())
    }

    fn run_history(&self) -> Option<&dyn RunHistory> {
        Some(self)
    }
}

#[async_trait]
impl RunHistory for Scene {
    async fn append(&self, _: &RunRecord) -> Result<(), LockError> {
        Err(still())
    }

    async fn runs(
        &self,
        lock: &LockName,
        began: std::ops::Range<SystemTime>,
    ) -> Result<Vec<RunRecord>, LockError> {
        let state = self.state.lock().unwrap();
        let age = self.age();
        let of_lock = state.runs.iter().filter(|run| run.lock == lock.as_str());
        let moved = of_lock.map(|run| {
            let mut run = run.clone();
            run.began += age;
            run.ended += age;
            run
        });
        let mut runs: Vec<RunRecord> = moved.filter(|run| began.contains(&run.began)).collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.began));
        Ok(runs)
    }
}

fn still() -> LockError {
    LockError::new(ErrorKind::Unsupported, "a scene stands still")
}
