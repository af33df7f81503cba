//! All log lines of this crate. Like the lines of `shedlock-runtime`, they have the target `shedlock` and fixed event names.

use chrono::{DateTime, Utc};
use shedlock_runtime::{LockError, LockName};
use tracing::{debug, error, info, warn};

const TARGET: &str = "shedlock";

pub(crate) fn cancelled(name: &LockName) {
    warn!(
        target: TARGET,
        event = "job.cancelled",
        lock.name = %name,
        "stopped `{name}` before its end: the scheduler shuts down"
    );
}

pub(crate) fn failed(name: &LockName, error: &str) {
    error!(
        target: TARGET,
        event = "job.failed",
        lock.name = %name,
        error,
        "`{name}` failed: {error}; it runs again at its next tick"
    );
}

pub(crate) fn panicked(name: &LockName, message: &str) {
    error!(
        target: TARGET,
        event = "job.panicked",
        lock.name = %name,
        "`{name}` panicked: {message}; it runs again at its next tick"
    );
}

pub(crate) fn zone_not_followed(name: &LockName, cause: &tokio_cron_scheduler::JobSchedulerError) {
    debug!(
        target: TARGET,
        event = "job.zone",
        lock.name = %name,
        "could not tell the scheduler the offset of the next run of `{name}`: {cause:?}"
    );
}

pub(crate) fn ticks_are_alike(name: &LockName, cause: &LockError) {
    info!(
        target: TARGET,
        event = "job.no_instants",
        lock.name = %name,
        error = %cause,
        "the store keeps no positions, so only `at_least` keeps a tick of `{name}` from a second run: {cause}"
    );
}

pub(crate) fn spacing(name: &LockName, doubt: &impl std::fmt::Display) {
    warn!(
        target: TARGET,
        event = "job.at_least",
        lock.name = %name,
        "`{name}`: {doubt}"
    );
}

pub(crate) fn shared_lock(name: &LockName) {
    warn!(
        target: TARGET,
        event = "job.shared_lock",
        lock.name = %name,
        "two jobs share the lock `{name}`: at a tick that both have, one of them does not run; give each a lock of its own, and take the \
         lock that they share in the jobs themselves, with a `wait`"
    );
}

/// As `shedlock-runtime` logs the error of another kind.
pub(crate) fn no_provider(name: &LockName, cause: &LockError) {
    error!(
        target: TARGET,
        event = "lock.error",
        lock.name = %name,
        lock.provider = cause.provider(),
        error.type = cause.kind().as_str(),
        error.transient = cause.is_transient(),
        "did not run: {cause}"
    );
}

pub(crate) fn ticks_missed(name: &LockName, first: &DateTime<Utc>) {
    warn!(
        target: TARGET,
        event = "job.ticks_missed",
        lock.name = %name,
        "this node missed the tick of `{name}` at {}: it was suspended or too busy, or more jobs were due at once than the \
         scheduler's channel holds: see `JobScheduler::new_with_channel_size`",
        first.format("%Y-%m-%dT%H:%M:%SZ")
    );
}
