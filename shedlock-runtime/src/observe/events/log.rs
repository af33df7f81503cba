//! The log lines. Each says what happened to which lock, until when, and what happens next.
//!
//! All lines have one target and fixed names. A normal run and a normal skip write nothing at INFO.

use std::time::{Duration, SystemTime};

use tracing::{debug, error, info, trace, warn};

use super::format::{Clause, Until, millis, shown};
use super::rate_limit::{self, RateLimit};
use super::{HeldLock, Subject};
use crate::observe::event::LossReason;
use crate::seam::answer::Refusal;
use crate::values::error::LockError;
use crate::values::moment::Moment;
use crate::values::options::OnLost;
use crate::values::outcome::SkipReason;
use crate::values::short_duration::short_duration;

pub(super) const TARGET: &str = "shedlock";

pub(super) fn acquired(lock: &dyn HeldLock) {
    debug!(
        name: "lock.acquired",
        target: TARGET,
        event = "lock.acquired",
        lock.name = %lock.subject().name,
        lock.provider = lock.subject().provider,
        lock.node = &*lock.node(),
        lock.fencing_token = lock.fencing_token(),
        "acquired `{}`: held until {} at most",
        lock.subject().name,
        Until(lock.remaining().unwrap_or_default())
    );
}

/// `seen_for` is how long the same run has been seen to hold the lock, if that is longer than it should be. `ahead` is the instant in the
/// record, if it lies in the future.
pub(super) fn skipped(
    subject: &Subject,
    refusal: &Refusal,
    seen_for: Option<Duration>,
    ahead: Option<SystemTime>,
) {
    let (name, reason) = (&subject.name, refusal.reason);
    let now_what = match reason {
        _ if ahead.is_some() => {
            ", which is in the future: some clock was wrong, and nobody runs it until then; correct the clock, and forget the record by \
             `LockAdmin::prune_prefix`"
        }
        SkipReason::ShuttingDown | SkipReason::AlreadyRan => "",
        SkipReason::Paused => "; `LockAdmin` says why and can resume it",
        SkipReason::Gap => "; it runs when that step has ended well",
        SkipReason::Exhausted => "; nobody runs it any more: look at its errors",
        _ if seen_for.is_some() => {
            ", longer than `at_most`: kept alive, or stuck? If stuck, end it on its node, or free the lock by \
             `LockAdmin::force_release`"
        }
        _ => "; the next tick asks again",
    };
    macro_rules! line {
        ($level:ident) => {
            $level!(
                name: "lock.skipped",
                target: TARGET,
                event = "lock.skipped",
                lock.name = %subject.name,
                lock.provider = subject.provider,
                lock.node = refusal.node.as_deref(),
                lock.outcome = reason.as_str(),
                seen_ms = seen_for.map(millis),
                "skipped `{name}`: {reason}{}{}{}{}{now_what}",
                Clause(" by ", refusal.node.as_deref()),
                Clause(" until ", refusal.remaining.map(Until)),
                Clause(", by the same run for ", seen_for.map(short_duration)),
                Clause(" for ", ahead.map(Moment)),
            )
        };
    }
    // A skip because of an operator's pause is worth one line, but not one at every tick. A skip because another node runs the job is normal.
    let is_news = || {
        reason == SkipReason::Paused
            && rate_limit::check("pause", subject.provider_id, name.as_str()).emits()
    };
    let is_exhausted = || {
        reason == SkipReason::Exhausted
            && rate_limit::check("exhausted", subject.provider_id, name.as_str()).emits()
    };
    let is_ahead = || {
        ahead.is_some() && rate_limit::check("ahead", subject.provider_id, name.as_str()).emits()
    };
    if is_exhausted() {
        line!(error);
    } else if is_ahead() {
        line!(warn);
    } else if seen_for.is_some() || is_news() {
        line!(info);
    } else {
        line!(debug);
    }
}

pub(super) fn extended(lock: &dyn HeldLock, at_most: Duration) {
    trace!(
        name: "lock.extended",
        target: TARGET,
        event = "lock.extended",
        lock.name = %lock.subject().name,
        lock.provider = lock.subject().provider,
        "extended `{}`: held until {} at most", lock.subject().name, Until(at_most)
    );
}

pub(super) fn extend_failed(lock: &dyn HeldLock, cause: &LockError) {
    let left = lock.remaining().unwrap_or_default();
    macro_rules! line {
        ($level:ident) => {
            $level!(
                name: "lock.extend_failed",
                target: TARGET,
                event = "lock.extend_failed",
                lock.name = %lock.subject().name,
                lock.provider = lock.subject().provider,
                error.type = cause.kind().as_str(),
                error = %cause,
                cause = cause.source_error().map(tracing::field::display),
                "could not extend `{}`: trying again until its lease ends at {}", lock.subject().name, Until(left)
            )
        };
    }
    // The extension of a long lease is retried every second.
    if rate_limit::check(
        "extend",
        lock.subject().provider_id,
        lock.subject().name.as_str(),
    )
    .emits()
    {
        line!(warn);
    } else {
        line!(debug);
    }
}

pub(super) fn expiring(lock: &dyn HeldLock, left: Duration) {
    warn!(
        name: "lock.expiring",
        target: TARGET,
        event = "lock.expiring",
        lock.name = %lock.subject().name,
        lock.provider = lock.subject().provider,
        "the lease of `{}` ends at {} and nobody extends it; use `keep_alive` or a longer `at_most`",
        lock.subject().name, Until(left)
    );
}

pub(super) fn starved(lock: &dyn HeldLock, late: Duration) {
    warn!(
        name: "lock.starved",
        target: TARGET,
        event = "lock.starved",
        lock.name = %lock.subject().name,
        lock.provider = lock.subject().provider,
        late_ms = millis(late),
        "the task of `{}` was polled {} late: it blocks its thread, or something else does; move blocking work to \
         `spawn_blocking`",
        lock.subject().name, short_duration(late)
    );
}

pub(super) fn released(lock: &dyn HeldLock, free_in: impl Fn() -> Duration) {
    // The clock is read only if the line is written.
    let kept = || {
        let left = free_in();
        (!left.is_zero()).then_some(Until(left))
    };
    debug!(
        name: "lock.released",
        target: TARGET,
        event = "lock.released",
        lock.name = %lock.subject().name,
        lock.provider = lock.subject().provider,
        "released `{}`{}", lock.subject().name, Clause(": free from ", kept())
    );
}

pub(super) fn release_failed(lock: &dyn HeldLock, left: Duration, cause: &LockError) {
    warn!(
        name: "lock.release_failed",
        target: TARGET,
        event = "lock.release_failed",
        lock.name = %lock.subject().name,
        lock.provider = lock.subject().provider,
        error.type = cause.kind().as_str(),
        error = %cause,
        "could not release `{}`: trying again in the background; it frees itself at {}", lock.subject().name, Until(left)
    );
}

pub(super) fn lost(lock: &dyn HeldLock, reason: LossReason, why: &str) {
    let now_what = match lock.on_lost() {
        Some(OnLost::Cancel) => "; the task is cancelled",
        Some(OnLost::Notify) => "; the task is told and goes on",
        None => "",
    };
    error!(
        name: "lock.lost",
        target: TARGET,
        event = "lock.lost",
        lock.name = %lock.subject().name,
        lock.provider = lock.subject().provider,
        lock.node = &*lock.node(),
        lock.fencing_token = lock.fencing_token(),
        reason = reason.as_str(),
        "lost `{}`: {why}; another node may hold it now{now_what}", lock.subject().name
    );
}

pub(super) fn overrun(lock: &dyn HeldLock, late: Duration) {
    error!(
        name: "lock.overrun",
        target: TARGET,
        event = "lock.overrun",
        lock.name = %lock.subject().name,
        lock.provider = lock.subject().provider,
        late_ms = millis(late),
        "`{}` ran {} past its lease, perhaps beside another node; give it `keep_alive` or a longer `at_most`",
        lock.subject().name, short_duration(late)
    );
}

/// Logs an error that the caller does not get, at most once a minute for each lock.
pub(crate) fn failed(cause: &LockError) {
    let (store, name) = (cause.provider_id().unwrap_or_default(), cause.lock());
    let RateLimit::Emit { suppressed } =
        rate_limit::check("error", store, name.unwrap_or_default())
    else {
        return;
    };
    error!(
        name: "lock.error",
        target: TARGET,
        event = "lock.error",
        lock.name = cause.lock().map(shown),
        lock.provider = cause.provider(),
        error.type = cause.kind().as_str(),
        error.transient = cause.is_transient(),
        cause = cause.source_error().map(tracing::field::display),
        "did not run: {cause}{}",
        Clause("; errors since the last line: ", (suppressed > 0).then_some(suppressed))
    );
}

pub(super) fn indeterminate(subject: &Subject, left: Duration) {
    macro_rules! line {
        ($level:ident) => {
            $level!(
                name: "lock.indeterminate",
                target: TARGET,
                event = "lock.indeterminate",
                lock.name = %subject.name,
                lock.provider = subject.provider,
                "no answer to the acquisition of `{}`: not run; taking back what {} may have granted until {}",
                subject.name, subject.provider, Until(left)
            )
        };
    }
    // A call with a long `wait` repeats its request to a store that hangs.
    if rate_limit::check("indeterminate", subject.provider_id, subject.name.as_str()).emits() {
        line!(warn);
    } else {
        line!(debug);
    }
}

pub(super) fn orphan_cleared(subject: &Subject) {
    debug!(
        name: "lock.orphan_cleared",
        target: TARGET,
        event = "lock.orphan_cleared",
        lock.name = %subject.name,
        lock.provider = subject.provider,
        "took back `{}`, which {} had granted without our knowing", subject.name, subject.provider
    );
}

pub(super) fn abandoned(subject: &Subject, why: &str, left: Duration) {
    warn!(
        name: "lock.abandoned",
        target: TARGET,
        event = "lock.abandoned",
        lock.name = %subject.name,
        lock.provider = subject.provider,
        "did not release `{}`: {why}; it frees itself at {}", subject.name, Until(left)
    );
}
