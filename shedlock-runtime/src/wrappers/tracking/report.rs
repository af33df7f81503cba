//! What a wrapper that knows its locks says about them.

use std::panic::resume_unwind;
use std::time::{Duration, SystemTime};

use crate::seam::answer::Ownership;
use crate::values::error::LockError;
use crate::values::name::LockName;

/// A lock that this process holds, in the answer of [`TrackingLockProvider::held`](super::TrackingLockProvider::held).
///
/// # Examples
///
/// ```
/// use shedlock_runtime::TrackedLock;
///
/// fn line(lock: &TrackedLock) -> String {
///     format!("{} for another {:?}", lock.name, lock.remaining)
/// }
/// # let _line: fn(&TrackedLock) -> String = line;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackedLock {
    /// The name of the lock.
    pub name: LockName,
    /// When the lock was acquired, by the time of day of the provider's clock.
    pub since: SystemTime,
    /// How long the lease lasts from the call of [`held`](super::TrackingLockProvider::held) on, by the provider's forward clock.
    pub remaining: Duration,
    /// The fencing token of the acquisition; `None` if the store keeps no fencing tokens.
    pub fencing_token: Option<u64>,
}

/// The result of [`TrackingLockProvider::release_all`](super::TrackingLockProvider::release_all).
///
/// # Examples
///
/// ```
/// use shedlock_runtime::ReleasedLocks;
///
/// fn log(report: &ReleasedLocks) {
///     for error in &report.failed {
///         println!("{}", error); // failed to release lock `mail` in postgres: ..
///     }
/// }
/// log(&ReleasedLocks::default());
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
#[must_use = "what could not be given back stays taken until its lease ends"]
pub struct ReleasedLocks {
    /// How many locks were released.
    pub released: usize,
    /// How many locks this process had lost before the call.
    pub lost: usize,
    /// One error for each lock that could not be released and is still held. [`LockError::lock`] is the name of the lock. Call
    /// [`release_all`](super::TrackingLockProvider::release_all) again to retry.
    pub failed: Vec<LockError>,
}

impl ReleasedLocks {
    pub(super) fn add(
        &mut self,
        ended: Option<Result<Result<Ownership, LockError>, tokio::task::JoinError>>,
    ) {
        match ended {
            Some(Ok(Ok(Ownership::Ours))) => self.released += 1,
            Some(Ok(Ok(Ownership::Lost))) => self.lost += 1,
            Some(Ok(Err(error))) => self.failed.push(error),
            Some(Err(stopped)) => {
                if let Ok(panic) = stopped.try_into_panic() {
                    resume_unwind(panic);
                }
                // Cancelled with the runtime, and so is this.
            }
            None => {}
        }
    }
}
