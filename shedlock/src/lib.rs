//! ShedLock for Rust.

pub use shedlock_macros::*;
pub use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, Lease, Lock, LockConfiguration, LockError, LockName,
    LockProvider, LockProviderExt, LockingTaskExecutor, Outcome, SchedulerLock,
    SchedulerLockBuilder, SkipReason, async_trait, lock, testing,
};

#[doc(hidden)]
pub use shedlock_runtime::__private;
