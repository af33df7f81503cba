#![doc = include_str!("../README.md")]

pub use shedlock_macros::{enable_scheduler_lock, lock_assert, scheduler_lock};
pub use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, Lease, Lock, LockAdmin, LockConfiguration, LockError,
    LockInfo, LockName, LockProvider, LockProviderExt, LockingTaskExecutor, Operation, Outcome,
    Released, SchedulerLock, SchedulerLockBuilder, SkipReason, ToDuration, async_trait, lock,
    testing,
};

#[doc(hidden)]
pub use shedlock_runtime::__private;
