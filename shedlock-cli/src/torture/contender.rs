//! One contender: takes locks, and gives them back, late, or never.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shedlock_runtime::{
    ErrorKind, Lock, LockConfiguration, LockError, LockProvider, LockProviderExt as _, Ownership,
};
use tokio::time::{Instant, sleep, timeout};

use super::judge::Holder;
use super::{Shared, lock};
use crate::trial::random;

/// How long the store may take for one question.
const LIMIT: Duration = Duration::from_secs(5);
/// An acquisition ends within its time limit. Twice that is no delay of this machine.
const UNANSWERED: Duration = Duration::from_secs(10);
/// A store that fails is not asked without a rest.
const AFTER_ERROR: Duration = Duration::from_millis(50);

/// What all contenders have in common.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    locks: Arc<[LockConfiguration]>,
    lease: Duration,
    end: Instant,
    is_stopped: Arc<AtomicBool>,
}

impl Plan {
    pub(super) fn new(
        prefix: &str,
        locks: u16,
        lease: Duration,
        end: Instant,
    ) -> Result<Self, LockError> {
        let lock = |number| {
            LockConfiguration::new(format!("{prefix}-{number}"), lease)?.with_timeout(LIMIT)
        };
        Ok(Self {
            locks: (0..locks).map(lock).collect::<Result<_, _>>()?,
            lease,
            end,
            is_stopped: Arc::default(),
        })
    }

    /// Lets each contender end after what it is doing.
    pub(super) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    fn goes_on(&self) -> bool {
        Instant::now() < self.end && !self.is_stopped.load(Ordering::Relaxed)
    }

    fn any_lock(&self) -> Option<&LockConfiguration> {
        let at = random() % (self.locks.len() as u64).max(1);
        self.locks.get(usize::try_from(at).ok()?)
    }
}

/// Competes for the locks of the plan until its end.
pub(super) async fn compete(store: Arc<dyn LockProvider>, plan: Plan, seen: Shared) {
    while plan.goes_on() {
        let Some(config) = plan.any_lock() else {
            return;
        };
        let asked = Instant::now();
        let answer = timeout(UNANSWERED, store.lock(config.clone())).await;
        let took = asked.elapsed();
        match answer {
            Ok(Ok(Ok(held))) => hold(held, took, &plan, &seen).await,
            Ok(Ok(Err(_refusal))) => {
                lock(&seen).refused.add(took);
                rest(10).await;
            }
            Ok(Err(error)) => {
                failed(&seen, error);
                sleep(AFTER_ERROR).await;
            }
            Err(_elapsed) => lock(&seen).judge.unanswered(),
        }
    }
}

/// Holds the lock for a moment. Of 256 holders, one never gives it back, one comes too late, and 32 extend it.
async fn hold(mut held: Lock, took: Duration, plan: &Plan, seen: &Shared) {
    let holder = {
        let mut seen = lock(seen);
        seen.acquired.add(took);
        let (token, now) = (held.fencing_token(), Instant::now());
        let name = held.name();
        seen.judge
            .acquired(name.as_str(), token, now, deadline(&held, now))
    };
    match random() % 256 {
        0 => {
            held.release_on_drop(false);
            lock(seen).expired += 1;
            return;
        }
        1 => {
            // By now, the lock may be another one's, which this release must not touch.
            sleep(plan.lease + plan.lease / 4).await;
            lock(seen).expired += 1;
            settle(held.unlock().await, false, seen);
            return;
        }
        2..34 => extend(&mut held, &holder, plan, seen).await,
        _ => {}
    }
    rest(5).await;
    let end = deadline(&held, Instant::now());
    lock(seen).judge.releases(&holder);
    let sent = Instant::now();
    let answer = held.unlock().await;
    let answered = Instant::now();
    lock(seen).released.add(answered - sent);
    settle(answer, answered < end, seen);
}

async fn extend(held: &mut Lock, holder: &Holder, plan: &Plan, seen: &Shared) {
    rest(5).await;
    let end = deadline(held, Instant::now());
    let sent = Instant::now();
    let answer = held.extend(plan.lease, Duration::ZERO).await;
    let now = Instant::now();
    let mut all = lock(seen);
    all.extended.add(now - sent);
    // After an error, too: it may have made the lease shorter.
    all.judge.extended(holder, deadline(held, now));
    drop(all);
    settle(answer.map(|()| Ownership::Ours), now < end, seen);
}

/// Notes how the store answered a holder whose deadline has not come if `is_in_time`.
fn settle(answer: Result<Ownership, LockError>, is_in_time: bool, seen: &Shared) {
    match answer {
        Ok(Ownership::Ours) => {}
        Ok(Ownership::Lost) => lock(seen).judge.lost(is_in_time),
        Err(error) if error.kind() == ErrorKind::Lost => lock(seen).judge.lost(is_in_time),
        Err(error) => failed(seen, error),
    }
}

fn failed(seen: &Shared, error: LockError) {
    let mut seen = lock(seen);
    *seen.errors.entry(error.kind().as_str()).or_default() += 1;
    seen.last_error = Some(error.into());
}

fn deadline(held: &Lock, now: Instant) -> Instant {
    now + held.remaining().unwrap_or_default()
}

async fn rest(millis: u64) {
    sleep(Duration::from_millis(random() % millis)).await;
}
