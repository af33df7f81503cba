//! The engine of [ShedLock for Rust](https://docs.rs/shedlock): everything at run time that needs no driver.
//!
//! Programs use the `shedlock` crate, which re-exports this one. Authors of providers depend on it directly: on
//! [`LockProvider`] for a store with a language of its own, or on [`RecordStore`] for one that compares and swaps.
//!
//! One idea carries everything: a lock is a record in a store, with an end and an owner; it is free when its end has
//! come; acquire, extend and release are one conditional write each.

mod admin;
mod answer;
mod assert;
mod clock;
mod config;
mod context;
mod duration;
mod error;
mod event;
mod events;
mod executor;
mod ext;
mod gate;
mod guard;
mod held;
mod info;
mod intervention;
mod kept;
mod lease;
mod limit;
mod listener;
mod mark;
mod memory;
mod moment;
mod name;
mod options;
mod outcome;
mod owner;
mod pauses;
mod printable;
mod provider;
mod record;
mod registry;
mod release;
mod renewal;
mod route;
mod running;
mod shutdown;
mod skip;
mod watch;
mod wrappers;

pub mod lock;
pub mod testing;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use async_trait::async_trait;

pub use admin::{LockAdmin, LockInfo, pause_length};
pub use answer::{Acquired, Extended, Refusal, Released};
pub use clock::{BootInstant, Clock, SystemClock, TokioClock};
pub use config::LockConfiguration;
pub use duration::{InvalidDuration, ToDuration};
pub use error::{ErrorKind, LockError, Operation};
pub use event::{EventKind, Failure, LockEvent, LossReason, RunOutcome};
pub use executor::LockingTaskExecutor;
pub use ext::LockProviderExt;
pub use guard::Lock;
pub use info::ProviderInfo;
pub use intervention::Intervention;
pub use lease::{Attempt, Lease};
pub use listener::{Listening, LockListener};
pub use mark::Mark;
pub use memory::InMemoryLockProvider;
pub use name::{InvalidName, LockName};
pub use options::OnLost;
pub use outcome::{Outcome, SkipReason};
pub use owner::{Owner, OwnerWrite, Standing, host_node_name, node_name};
pub use printable::printable;
pub use provider::LockProvider;
pub use record::{Conflict, LockRecord, RecordCatalogue, RecordLockProvider, RecordStore, Version};
pub use registry::{SchedulerLock, SchedulerLockBuilder};
pub use shutdown::{ShutdownPolicy, ShutdownReport};
pub use skip::{ErrorValue, SkipValue};
pub use wrappers::{
    NamespacedLockProvider, ReleasedLocks, RoutingLockProvider, TimeoutLockProvider, TrackedLock,
    TrackingLockProvider,
};
