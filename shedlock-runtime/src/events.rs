//! Every line that this crate logs: what, who, until when, what now.
//!
//! One target, fixed names. A normal run or skip is silent at INFO.

use std::fmt;
use std::time::Duration;

use humantime::format_duration;
use tracing::{debug, error, trace, warn};

use crate::answer::Refusal;
use crate::error::LockError;
use crate::held::LockState;
use crate::lease::Lease;
use crate::name::LockName;
use crate::provider::LockProvider;

const TARGET: &str = "shedlock";

/// Finer than a millisecond is noise to a reader.
fn whole_millis(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

pub(crate) fn acquired(state: &LockState) {
    debug!(
        target: TARGET,
        event = "lock.acquired",
        lock.name = %state.name(),
        lock.provider = state.provider().info().name(),
        lock.fencing_token = state.fencing_token(),
        "acquired `{}` for at most {}",
        state.name(), format_duration(whole_millis(state.remaining().unwrap_or_default()))
    );
}

pub(crate) fn skipped(provider: &dyn LockProvider, name: &LockName, refusal: &Refusal) {
    let remaining = refusal
        .remaining
        .map(|left| format_duration(whole_millis(left)));
    debug!(
        target: TARGET,
        event = "lock.skipped",
        lock.name = %name,
        lock.provider = provider.info().name(),
        lock.outcome = %refusal.reason,
        "skipped `{name}`: {}{}{}",
        refusal.reason,
        Clause(" by ", refusal.node.as_deref()),
        Clause(" for another ", remaining),
    );
}

/// A part of a sentence that is left out with its value.
struct Clause<T>(&'static str, Option<T>);

impl<T: fmt::Display> fmt::Display for Clause<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.1
            .as_ref()
            .map_or(Ok(()), |value| write!(f, "{}{value}", self.0))
    }
}

pub(crate) fn extended(state: &LockState, at_most: Duration) {
    trace!(
        target: TARGET,
        event = "lock.renewed",
        lock.name = %state.name(),
        "extended `{}` to {} from now", state.name(), format_duration(at_most)
    );
}

pub(crate) fn renew_failed(state: &LockState, cause: &LockError) {
    warn!(
        target: TARGET,
        event = "lock.renew_failed",
        lock.name = %state.name(),
        error = %cause,
        "could not extend `{}`: trying again; its lease lasts another {}",
        state.name(), format_duration(whole_millis(state.remaining().unwrap_or_default()))
    );
}

pub(crate) fn released(state: &LockState, lease: &Lease) {
    // The clock is read only if somebody listens.
    let kept = || {
        let left = lease.at_least_left(state.provider().info().clock().boot());
        (!left.is_zero()).then(|| format_duration(whole_millis(left)))
    };
    debug!(
        target: TARGET,
        event = "lock.released",
        lock.name = %lease.name(),
        "released `{}`{}", lease.name(), Clause(", free in ", kept())
    );
}

pub(crate) fn release_failed(state: &LockState, cause: &LockError) {
    let left = state
        .deadline()
        .saturating_since(state.provider().info().clock().boot());
    warn!(
        target: TARGET,
        event = "lock.release_failed",
        lock.name = %state.name(),
        error = %cause,
        "could not release `{}`: trying again in the background; it frees itself in {}",
        state.name(), format_duration(whole_millis(left))
    );
}

pub(crate) fn lost(state: &LockState, why: &str) {
    if state.mark_lost() {
        error!(
            target: TARGET,
            event = "lock.lost",
            lock.name = %state.name(),
            lock.provider = state.provider().info().name(),
            "lost `{}`: {why}; another node may hold it now", state.name()
        );
    }
}

pub(crate) fn overrun(state: &LockState) {
    let late = state
        .provider()
        .info()
        .clock()
        .boot()
        .saturating_since(state.deadline());
    error!(
        target: TARGET,
        event = "lock.overrun",
        lock.name = %state.name(),
        "`{}` ran {} past its lease; give it a longer `at_most`",
        state.name(), format_duration(whole_millis(late))
    );
}

pub(crate) fn failed(cause: &LockError) {
    error!(
        target: TARGET,
        event = "lock.error",
        lock.name = cause.lock(),
        lock.provider = cause.provider(),
        error.transient = cause.is_transient(),
        cause = cause.source_error().map(tracing::field::display),
        "did not run: {cause}"
    );
}

pub(crate) fn indeterminate(provider: &'static str, name: &LockName) {
    warn!(
        target: TARGET,
        event = "lock.indeterminate",
        lock.name = %name,
        lock.provider = provider,
        "no answer to the acquisition of `{name}`: not run; taking back what {provider} may have granted"
    );
}

pub(crate) fn orphan_cleared(provider: &'static str, name: &LockName) {
    debug!(
        target: TARGET,
        event = "lock.orphan_cleared",
        lock.name = %name,
        lock.provider = provider,
        "took back `{name}`, which {provider} had granted without our knowing"
    );
}

pub(crate) fn abandoned(name: &str) {
    warn!(
        target: TARGET,
        event = "lock.abandoned",
        lock.name = name,
        "no runtime to release `{name}` on: it frees itself when its lease ends"
    );
}
