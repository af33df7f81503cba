//! The engine of [ShedLock for Rust](https://docs.rs/shedlock): everything at run time that needs no driver.
//!
//! Programs use the `shedlock` crate, which re-exports this one. Authors of providers depend on it directly: on
//! [`LockProvider`] for a store with a language of its own, or on [`RecordStore`] for one that compares and swaps.
//!
//! One idea carries everything: a lock is a record in a store, with an end and an owner; it is free when its end has
//! come; acquire, extend and release are one conditional write each.

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
pub use observe::event::{EventKind, Failure, LockEvent, LossReason, RunOutcome};
pub use observe::intervention::Intervention;
pub use observe::listener::{ListenerGuard, LockListener};
pub use process::registry::{SchedulerLock, SchedulerLockBuilder};
pub use process::shutdown::{ShutdownPolicy, ShutdownReport};
pub use run::executor::LockingTaskExecutor;
pub use run::ext::LockProviderExt;
pub use run::lock;
pub use run::skip::{ErrorValue, SkipValue};
pub use seam::admin::{LockAdmin, LockInfo, pause_length};
pub use seam::answer::{Acquisition, Ownership, Refusal};
pub use seam::info::ProviderInfo;
pub use seam::lease::{AcquireRequest, Lease};
pub use seam::provider::LockProvider;
pub use stores::memory::InMemoryLockProvider;
pub use stores::record::{
    Conflict, LockRecord, RecordCatalogue, RecordLockProvider, RecordStore, Version,
};
pub use values::clock::{BootInstant, Clock, SystemClock, TokioClock};
pub use values::config::LockConfiguration;
pub use values::duration::{InvalidDuration, ToDuration};
pub use values::error::{ErrorKind, LockError, Operation};
pub use values::name::{InvalidName, LockName};
pub use values::operator_mark::OperatorMark;
pub use values::options::OnLost;
pub use values::outcome::{Outcome, SkipReason};
pub use values::owner::{Owner, OwnerWrite, Standing, host_node_name, node_name};
pub use values::printable::printable;
pub use wrappers::{
    NamespacedLockProvider, ReleasedLocks, RoutingLockProvider, TimeoutLockProvider, TrackedLock,
    TrackingLockProvider,
};
