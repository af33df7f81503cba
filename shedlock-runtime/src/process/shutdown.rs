//! The shutdown of a process: no new locks, no running bodies, no lock left in the store.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::hold::running::{self, ShutdownTarget};
use crate::observe::listener;
use crate::process::registry::SchedulerLock;
use crate::values::name::LockName;

/// How long the holders of guards have to drop them, before their locks are released without them.
const GRACE: Duration = Duration::from_millis(250);
/// How long cancelling may take. It is short, because a supervisor that sends SIGTERM sends SIGKILL soon after.
const CANCELLING: Duration = Duration::from_millis(850);
/// How long listeners have to be called with the last events.
const LISTENING: Duration = Duration::from_millis(100);

/// What [`SchedulerLock::shutdown`] does with the bodies that are running.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use shedlock_runtime::ShutdownPolicy;
///
/// // Kubernetes sends SIGKILL 30 seconds after SIGTERM, unless told otherwise.
/// let policy = ShutdownPolicy::Await(Duration::from_secs(25));
/// # let _ = policy;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShutdownPolicy {
    /// Drops every body at its next await.
    Cancel,
    /// Waits this long for the bodies to end. Then drops each remaining body at its next await.
    Await(Duration),
}

/// The result of [`SchedulerLock::shutdown`].
///
/// # Examples
///
/// ```
/// use shedlock_runtime::ShutdownReport;
///
/// fn log(report: &ShutdownReport) {
///     for lock in &report.abandoned {
///         println!("{lock} stays taken until its lease ends");
///     }
/// }
/// log(&ShutdownReport::default());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// How many bodies were cancelled, plus how many guards were released while their holders went on.
    pub cancelled: usize,
    /// The locks that were not released, because their bodies block or the store did not answer in time. Each becomes free
    /// when its lease ends.
    pub abandoned: Vec<LockName>,
    /// How many locks were not released, plus how many acquisitions have no answer.
    ///
    /// The number includes the [`abandoned`](Self::abandoned) locks. It also includes locks that are not in that list because their bodies have
    /// blocked their threads since they began.
    pub left: usize,
}

impl SchedulerLock {
    /// Ends all locked work of this process: takes no new locks, ends the bodies that run, and releases every lock.
    ///
    /// From now on every locked call is skipped with [`SkipReason::ShuttingDown`](crate::SkipReason::ShuttingDown), until
    /// [`install`](crate::SchedulerLockBuilder::install) is called again. A cancelled body is dropped as by a timeout, whatever
    /// its `on_lost`; its call returns [`ErrorKind::ShutDown`](crate::ErrorKind::ShutDown), or counts as skipped if its return
    /// type cannot carry an error. The lock of a guard is released after a quarter of a second even if its holder goes on;
    /// [`Lock::is_held`](crate::Lock::is_held) is false then. Cancelling takes less than a second.
    ///
    /// Call it on the runtime that runs the bodies, before that runtime ends. Within a locked body, spawn the shutdown as a
    /// task: awaited there, it would be dropped with the body before it is over.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, the process still takes no new locks, and bodies may be left running.
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
            let abandoned = running::awaited();
            report.abandoned = abandoned
                .iter()
                .map(|lock| lock.report_abandoned())
                .collect();
        }
        report.left = running::awaited_tickets();
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

/// Gives back the locks of guards that nobody has dropped, until the time is up.
async fn release_guards(until: Instant) {
    let mut releases = JoinSet::new();
    for release in running::awaited()
        .into_iter()
        .filter_map(ShutdownTarget::release)
    {
        releases.spawn(release);
    }
    let _all = timeout_at(until, async {
        while releases.join_next().await.is_some() {}
    })
    .await;
}
