//! Ending well: no new locks, no running bodies, nothing left behind in the store.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::hold::running;
use crate::observe::events;
use crate::observe::listener;
use crate::process::registry::SchedulerLock;
use crate::values::name::LockName;

/// How long those who hold a guard have to drop it before its lock is given back without them.
const GRACE: Duration = Duration::from_millis(250);
/// How long cancelling may take: a supervisor that sends SIGTERM sends SIGKILL soon.
const CANCELLING: Duration = Duration::from_millis(850);
/// How long listeners have to hear the last events.
const LISTENING: Duration = Duration::from_millis(100);

/// What [`SchedulerLock::shutdown`] does with the bodies that run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShutdownPolicy {
    /// They are dropped at their next await.
    Cancel,
    /// They may run on for so long; then those that are left are dropped.
    Await(Duration),
}

/// What [`SchedulerLock::shutdown`] has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// How many bodies were cancelled, and guards released.
    pub cancelled: usize,
    /// Locks that are not given back: their bodies block, or the store did not answer in time. They free themselves at
    /// the end of their leases.
    pub abandoned: Vec<LockName>,
    /// How many locks are not given back and acquisitions not answered. These are the abandoned ones, and any body that
    /// has blocked its thread since it began: such a one has not told anybody its name.
    pub left: usize,
}

impl SchedulerLock {
    /// Ends all locked work of this process: takes no new locks, ends the bodies that run, and gives every lock back.
    ///
    /// From now on every locked call is skipped with [`SkipReason::ShuttingDown`](crate::SkipReason::ShuttingDown), until
    /// [`install`](crate::SchedulerLockBuilder::install) is called again. A cancelled body is dropped as by a timeout, whatever
    /// its `on_lost`; its call returns [`ErrorKind::ShutDown`](crate::ErrorKind::ShutDown), or is skipped where it cannot
    /// say so. The lock of a guard held by hand is given back after a quarter of a second although its holder goes on;
    /// [`Lock::is_held`](crate::Lock::is_held) is false then. Cancelling takes less than a second.
    ///
    /// Call it on the runtime that runs the bodies, before that ends. Awaited inside of a locked body, it is dropped with
    /// that body before it is over: spawn it there.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves the process without new locks, and may leave bodies running.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use std::time::Duration;
    /// use shedlock_runtime::{SchedulerLock, ShutdownPolicy};
    ///
    /// // After SIGTERM:
    /// let report = SchedulerLock::shutdown(ShutdownPolicy::Await(Duration::from_secs(20))).await;
    /// assert_eq!(report.left, 0);
    /// # }
    /// ```
    pub async fn shutdown(policy: ShutdownPolicy) -> ShutdownReport {
        running::close();
        let mut report = ShutdownReport::default();
        let idle = match policy {
            ShutdownPolicy::Cancel => false,
            ShutdownPolicy::Await(limit) => ended(timeout(limit, running::idle())).await,
        };
        if !idle {
            let until = Instant::now() + CANCELLING;
            report.cancelled = running::cancel();
            if !ended(timeout(GRACE, running::idle())).await {
                release_guards(until).await;
                let _idle = ended(timeout_at(until, running::idle())).await;
            }
            for state in running::awaited() {
                let left = state.deadline().saturating_since(state.now());
                let why = "it was not over in time for the shutdown";
                events::abandoned(state.subject(), why, left);
                report.abandoned.push(state.name().clone());
            }
        }
        report.left = running::active();
        let until = Instant::now() + LISTENING;
        while listener::are_behind() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        report
    }
}

async fn ended<T, E>(limited: impl Future<Output = Result<T, E>>) -> bool {
    limited.await.is_ok()
}

/// Gives the locks of guards back that nobody has dropped. A body that runs keeps its lock, and so does a guard that is
/// not to release it.
async fn release_guards(until: Instant) {
    let mut releases = JoinSet::new();
    for state in running::awaited() {
        if !state.is_running() && !state.is_left_alone() {
            releases.spawn(async move {
                if let Err(error) = state.release_once().await {
                    events::release_failed(&*state, state.taken_for(), &error);
                }
            });
        }
    }
    let _all = timeout_at(until, async {
        while releases.join_next().await.is_some() {}
    })
    .await;
}
