#![doc = include_str!("../README.md")]

pub use shedlock_macros::{enable_scheduler_lock, lock_assert, scheduler_lock};
pub use shedlock_runtime::{
    ErrorKind, EventKind, Failure, InMemoryLockProvider, Lease, ListenerGuard, Lock, LockAdmin,
    LockConfiguration, LockError, LockEvent, LockInfo, LockListener, LockName, LockProvider,
    LockProviderExt, LockingTaskExecutor, LossReason, NamespacedLockProvider, OnLost, Operation,
    Outcome, Ownership, ProviderInfo, ReleasedLocks, RoutingLockProvider, RunOutcome,
    SchedulerLock, SchedulerLockBuilder, ShutdownPolicy, ShutdownReport, SkipReason, SystemClock,
    TimeoutLockProvider, ToDuration, TokioClock, TrackedLock, TrackingLockProvider, async_trait,
    lock, testing,
};

#[doc(hidden)]
pub use shedlock_runtime::__private;
