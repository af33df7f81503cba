//! Reports each event of a lock to the log, the metrics and the listeners: one function for each event.

use std::future::Future;
use std::time::{Duration, SystemTime};

use tracing::{Instrument as _, Span};

use crate::observe::event::{EventKind, LockEvent, LossReason};
use crate::observe::listener;
use crate::seam::answer::Refusal;
use crate::seam::info::ProviderInfo;
use crate::seam::predecessor::Predecessor;
use crate::values::claim::lock_of;
use crate::values::config::LockConfiguration;
use crate::values::error::LockError;
use crate::values::name::LockName;
use crate::values::outcome::RunOutcome;

mod ahead;
mod asking_again;
mod facts;
mod format;
mod log;
#[cfg_attr(not(feature = "metrics"), path = "events/unmetered.rs")]
mod meters;
mod operator;
mod rate_limit;
mod run_span;
mod store_call;
mod stuck_holder;
mod takeover;
mod upkeep;
mod wire;

pub(crate) use asking_again::log as asking_again;
pub(crate) use facts::HeldLock;
pub(crate) use log::failed;
pub(crate) use meters::Holding;
pub(crate) use run_span::run_span;
pub(crate) use store_call::Question;

/// Which lock an event is about.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) name: LockName,
    /// The template that the name was made from, if there is one.
    pub(crate) template: Option<&'static str>,
    pub(crate) provider: &'static str,
    /// The provider's id, which distinguishes locks with the same name in two databases of the same kind.
    pub(crate) provider_id: u64,
}

impl Subject {
    pub(crate) fn new(config: &LockConfiguration, info: &ProviderInfo) -> Self {
        Self {
            name: config.name().clone(),
            template: config.template(),
            provider: info.name(),
            provider_id: info.id(),
        }
    }

    /// The template, or the name if there is no template: events are grouped by it.
    fn group(&self) -> LockName {
        self.template
            .and_then(|template| LockName::from_static(template).ok())
            // There are as many claims as messages.
            .or_else(|| LockName::new(lock_of(self.name.as_str())?).ok())
            .unwrap_or_else(|| self.name.clone())
    }
}

/// Awaits `call` in `span`. A disabled span costs nothing.
pub(crate) async fn spanned<T>(span: &Span, call: impl Future<Output = T>) -> T {
    if span.is_disabled() {
        call.await
    } else {
        call.instrument(span.clone()).await
    }
}

/// Sets a field of `span` that was not known when the span began, unless the span is disabled.
pub(crate) fn record(span: &Span, field: &'static str, value: impl tracing::Value) {
    if !span.is_disabled() {
        span.record(field, value);
    }
}

/// Whether there is a listener or a metrics recorder.
pub(crate) fn are_heard() -> bool {
    listener::any() || meters::any()
}

/// Passes the event to the metrics and the listeners. If there are none, the event is not made.
fn tell(subject: &Subject, kind: impl FnOnce() -> EventKind) {
    if !are_heard() {
        return;
    }
    let event = LockEvent {
        at: SystemTime::now(),
        lock: subject.name.clone(),
        template: subject.group(),
        provider: subject.provider,
        kind: kind(),
    };
    meters::record(&event);
    listener::tell(&event);
}

/// `took` measures how long the acquisition took.
pub(crate) fn acquired(lock: &dyn HeldLock, at_most: Duration, took: impl Fn() -> Duration) {
    log::acquired(lock);
    tell(lock.subject(), || EventKind::Acquired {
        at_most,
        took: took(),
        fencing_token: lock.fencing_token(),
    });
}

/// `node` is the name of this node in the store.
pub(crate) fn taken_over(subject: &Subject, node: &str, predecessor: &Predecessor) {
    takeover::log(subject, node, predecessor);
    tell(subject, || EventKind::TakenOver(predecessor.clone()));
}

pub(crate) fn skipped(
    config: &LockConfiguration,
    info: &ProviderInfo,
    refusal: &Refusal,
    took: Duration,
) {
    let subject = Subject::new(config, info);
    log::skipped(
        &subject,
        refusal,
        stuck_holder::seen_for(config, info, refusal),
        ahead::instant_ahead(config, info, refusal),
    );
    tell(&subject, || EventKind::Skipped {
        reason: refusal.reason,
        node: refusal.node.clone(),
        remaining: refusal.remaining,
        took,
    });
}

/// Reports an acquisition that failed. The log gets a line only if the caller gets no error: see [`failed`].
pub(crate) fn not_acquired(subject: &Subject, cause: &LockError) {
    tell(subject, || EventKind::Failed(cause.clone()));
}

pub(crate) fn extended(
    lock: &dyn HeldLock,
    at_most: Duration,
    left: Duration,
    late: Option<Duration>,
) {
    log::extended(lock, at_most);
    tell(lock.subject(), || EventKind::Extended {
        at_most,
        left,
        late,
    });
}

pub(crate) fn extend_failed(lock: &dyn HeldLock, cause: &LockError) {
    log::extend_failed(lock, cause);
    tell(lock.subject(), || EventKind::ExtendFailed {
        error: cause.clone(),
        left: lock.remaining().unwrap_or_default(),
    });
}

pub(crate) fn expiring(lock: &dyn HeldLock, left: Duration) {
    log::expiring(lock, left);
    tell(lock.subject(), || EventKind::Expiring { left });
}

pub(crate) fn starved(lock: &dyn HeldLock, late: Duration) {
    log::starved(lock, late);
    tell(lock.subject(), || EventKind::Starved { late });
}

/// Reports the first loss of a lock. Later losses of the same lock are not reported.
pub(crate) fn lost(lock: &dyn HeldLock, reason: LossReason, why: &str) {
    log::lost(lock, reason, why);
    tell(lock.subject(), || EventKind::Lost(reason));
}

pub(crate) fn overrun(lock: &dyn HeldLock, late: Duration) {
    log::overrun(lock, late);
    tell(lock.subject(), || EventKind::Overrun { late });
}

pub(crate) fn finished(lock: &dyn HeldLock, outcome: RunOutcome) {
    tell(lock.subject(), || EventKind::Finished {
        outcome,
        took: lock.held_for(),
        position: lock.position(),
    });
}

pub(crate) fn released(lock: &dyn HeldLock, free_in: impl Fn() -> Duration) {
    log::released(lock, &free_in);
    tell(lock.subject(), || EventKind::Released {
        held: lock.held_for(),
        free_in: free_in(),
    });
}

/// `left` is how long the lock stays taken if nothing more succeeds.
pub(crate) fn release_failed(lock: &dyn HeldLock, left: Duration, cause: &LockError) {
    log::release_failed(lock, left, cause);
    tell(lock.subject(), || EventKind::ReleaseFailed {
        error: cause.clone(),
        left,
    });
}

pub(crate) fn clean_up_failed(subject: &Subject, cause: &LockError) {
    upkeep::clean_up_failed(subject, cause);
    tell(subject, || EventKind::CleanUpFailed {
        error: cause.clone(),
    });
}

pub(crate) fn history_failed(subject: &Subject, cause: &LockError) {
    upkeep::history_failed(subject, cause);
    tell(subject, || EventKind::HistoryFailed {
        error: cause.clone(),
    });
}

/// `left` is how long the lock stays taken if nothing more succeeds.
pub(crate) fn indeterminate(subject: &Subject, left: Duration) {
    log::indeterminate(subject, left);
    tell(subject, || EventKind::Indeterminate);
}

pub(crate) fn orphan_cleared(subject: &Subject) {
    log::orphan_cleared(subject);
    tell(subject, || EventKind::OrphanCleared);
}

/// `left` is how long the lock stays taken if nothing more succeeds.
pub(crate) fn abandoned(subject: &Subject, why: &str, left: Duration) {
    log::abandoned(subject, why, left);
    tell(subject, || EventKind::Abandoned);
}

pub(crate) fn operator_acted(subject: &Subject, kind: EventKind) {
    operator::log(subject, &kind);
    tell(subject, || kind);
}
