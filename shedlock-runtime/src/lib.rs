#![doc = include_str!("../README.md")]

mod hold;
mod observe;
mod process;
mod run;
mod seam;
mod stores;
mod values;
mod wrappers;

pub mod testing;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use async_trait::async_trait;

pub use hold::guard::Lock;
pub use observe::event::{EventKind, LockEvent, LossReason};
pub use observe::listener::{ListenerGuard, LockListener};
pub use process::registry::{SchedulerLock, SchedulerLockBuilder};
pub use process::shutdown::{ShutdownPolicy, ShutdownReport};
pub use run::admin::LockAdmin;
pub use run::executor::LockingTaskExecutor;
pub use run::ext::LockProviderExt;
pub use run::lock;
pub use run::skip::{ErrorValue, SkipValue};
pub use seam::answer::{Acquisition, Ownership, Refusal};
pub use seam::capabilities::{Capabilities, Expiry, Fencing};
pub use seam::history::{HistoryOptions, RunHistory, RunRecord};
pub use seam::info::ProviderInfo;
pub use seam::lease::Lease;
pub use seam::lock_info::LockInfo;
pub use seam::predecessor::Predecessor;
pub use seam::provider::LockProvider;
pub use seam::records::{LockRecords, Overrule, Selection};
pub use seam::request::AcquireRequest;
pub use seam::runtime_watch::RuntimeWatch;
pub use stores::memory::InMemoryLockProvider;
pub use stores::record::{
    LockRecord, NameEncoding, RecordLockProvider, RecordStore, Snapshot, Written,
};
pub use values::clock::{BootInstant, Clock, SystemClock, TokioClock};
pub use values::config::LockConfiguration;
pub use values::duration::{InvalidDuration, ToDuration};
pub use values::error::{ErrorKind, LockError, Operation};
pub use values::limit::first_attempt_limit;
pub use values::lock_value::LockValue;
pub use values::name::{InvalidName, LockName};
pub use values::node::{host_node_name, node_name};
pub use values::operator_mark::OperatorMark;
pub use values::options::OnLost;
pub use values::outcome::{Outcome, RunOutcome, SkipReason};
pub use values::owner::{Owner, OwnerWrite, Standing};
pub use values::position::{Position, PositionRule, WantedPosition};
pub use values::printable::printable;
pub use values::short_duration::short_duration;
pub use values::timestamp::{format_timestamp, parse_timestamp};
pub use wrappers::{
    NamespacedLockProvider, ReleasedLocks, RoutingLockProvider, TimeoutLockProvider, TrackedLock,
    TrackingLockProvider,
};
