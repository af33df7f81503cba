//! Functions about the lock that the running task holds. If the task holds several locks, the functions are about the innermost one: the
//! lock that the task took last.
//!
//! # Examples
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), shedlock_runtime::LockError> {
//! use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockingTaskExecutor, lock};
//!
//! let executor = LockingTaskExecutor::new(InMemoryLockProvider::new());
//! executor
//!     .execute(LockConfiguration::new("import", "1m")?, async {
//!         assert!(lock::is_held());
//!         let helper = tokio::spawn(lock::scope(async { lock::fencing_token() }));
//!         assert_eq!(helper.await.unwrap(), lock::fencing_token());
//!     })
//!     .await?;
//! assert!(!lock::is_held());
//! # Ok(())
//! # }
//! ```

use std::any::Any;
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use crate::observe::events::HeldLock as _;
use crate::run::context;
use crate::values::duration::ToDuration;
use crate::values::error::{ErrorKind, LockError, Operation};

/// Whether the running task holds a lock whose lease has not ended, measured by this node's forward clock.
#[must_use]
pub fn is_held() -> bool {
    remaining().is_some()
}

/// The time that is left of the lock's lease, measured by this node's forward clock. `None` if the running task holds no lock, or if the
/// lease has ended.
#[must_use]
pub fn remaining() -> Option<Duration> {
    context::innermost()?.remaining()
}

/// The fencing token of the running task's lock: a number that grows with every acquisition of the lock. `None` if the task holds no lock,
/// or if the store has no fencing tokens.
#[must_use]
pub fn fencing_token() -> Option<u64> {
    context::innermost()?.fencing_token()
}

/// Extends the lock of the running task: the lease ends `at_most` from now, and the lock stays taken for at least `at_least` from now.
///
/// # Errors
///
/// [`ErrorKind::Lost`] if the task holds no lock or if the lease has ended; otherwise as [`Lock::extend`](crate::Lock::extend).
///
/// # Cancel safety
///
/// As [`Lock::extend`](crate::Lock::extend).
pub async fn extend(at_most: impl ToDuration, at_least: impl ToDuration) -> Result<(), LockError> {
    match context::innermost() {
        Some(state) => state.extend(at_most, at_least).await,
        None => Err(LockError::new(ErrorKind::Lost, "this task holds no lock")
            .with_remedy(
                "call it in a locked function, or carry the lock into a spawned task with `shedlock::lock::scope`",
            )
            .during(Operation::Extend)),
    }
}

/// Waits until the running task has lost its lock: the lease has ended, or the store says that the lock was taken away. In a task that
/// holds no lock, the future never resolves.
///
/// # Cancel safety
///
/// The future may be dropped at any time.
pub async fn lost() {
    match context::innermost() {
        Some(state) => state.lost().await,
        None => pending().await,
    }
}

/// The note of type `T` that a provider kept with the running task's lock, as [`Lock::noted`](crate::Lock::noted).
#[must_use]
pub fn noted<T: Any + Send + Sync>() -> Option<Arc<T>> {
    context::innermost()?.noted()
}

/// Carries the lock of the calling task into `future`, so that it can be spawned as a task of its own.
///
/// The lock is released when the locked function ends, so await the spawned task before that.
pub fn scope<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let held = context::innermost();
    async move {
        match held {
            Some(state) => context::scope(state, future).await,
            None => future.await,
        }
    }
}
