#![doc = include_str!("../README.md")]

mod error;
mod events;
mod job;
mod lock;
mod run;
mod scheduler;
mod sharing;
mod spacing;
mod zone;

pub use tokio_cron_scheduler;

pub use error::JobError;
pub use job::LockedJob;
pub use lock::{JobLock, TickLock};
pub use run::JobResult;
pub use scheduler::{LockedScheduler, Stopped};
