#![doc = include_str!("../README.md")]

pub use shedlock_macros::{enable_scheduler_lock, lock_assert, scheduler_lock};
pub use shedlock_runtime::{
    ErrorKind, EventKind, Failure, InMemoryLockProvider, Lease, Listening, Lock, LockAdmin,
    LockConfiguration, LockError, LockEvent, LockInfo, LockListener, LockName, LockProvider,
    LockProviderExt, LockingTaskExecutor, LossReason, OnLost, Operation, Outcome, Released,
    RunOutcome, SchedulerLock, SchedulerLockBuilder, ShutdownPolicy, ShutdownReport, SkipReason,
    ToDuration, async_trait, lock, testing,
};

#[doc(hidden)]
pub use shedlock_runtime::__private;
