//! The names and labels of the series of one template in one provider.

use std::borrow::Cow;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::{Key, Label, Level, Metadata, Recorder, SharedString};

use super::describe;
use crate::observe::event::LossReason;
use crate::values::error::{ErrorKind, Operation};
use crate::values::name::LockName;
use crate::values::outcome::RunOutcome;
use crate::values::outcome::SkipReason;
use crate::values::printable::printable;

pub(super) const META: Metadata<'static> =
    Metadata::new("shedlock", Level::INFO, Some(module_path!()));

/// The recorder to which the metrics were described.
static DESCRIBED_TO: AtomicUsize = AtomicUsize::new(0);

/// The operations whose errors are counted.
const ASKED: [Operation; 3] = [Operation::Acquire, Operation::Extend, Operation::Release];

/// The keys of all series of one template in one provider. They are made once, because making a key costs an allocation and a hash.
pub(super) struct Series {
    base: [Label; 2],
    pub(super) attempts: Key,
    pub(super) acquired: Key,
    pub(super) taken_over: Key,
    skipped: [(SkipReason, Key); 4],
    /// The transient kinds of errors, and those that can keep a job from its first run. An error of any other kind makes its series when it
    /// first occurs.
    errors: Vec<((ErrorKind, Operation), Key)>,
    lost: [(LossReason, Key); 2],
    pub(super) overruns: Key,
    pub(super) extended: Key,
    pub(super) not_extended: Key,
    pub(super) released: Key,
    pub(super) not_released: Key,
    pub(super) acquire_seconds: Key,
    pub(super) hold_seconds: Key,
    body_seconds: [(RunOutcome, Key); 6],
    pub(super) extension_delay: Key,
    pub(super) held: Key,
    pub(super) lease_remaining: Key,
    pub(super) last_success: Key,
    /// A gauge that most locks have not: it is registered with its first value.
    pub(super) last_position: Key,
    /// The recorder to which all series were shown.
    shown_to: AtomicUsize,
}

impl Series {
    pub(super) fn new(template: &LockName, provider: &'static str) -> Self {
        let template = SharedString::from_shared(Arc::from(printable(template.as_str())));
        let base = [
            Label::new("lock", template),
            Label::from_static_parts("provider", provider),
        ];
        let key = |name, more: &[(&'static str, &'static str)]| key(name, &base, more);
        let skipped = |reason: SkipReason| {
            (
                reason,
                key("shedlock.skipped", &[("reason", reason.as_str())]),
            )
        };
        let lost = |reason: LossReason| {
            (
                reason,
                key("shedlock.losses", &[("reason", reason.as_str())]),
            )
        };
        let body = |outcome: RunOutcome| {
            let labels = [("outcome", outcome.as_str())];
            (outcome, key("shedlock.body.seconds", &labels))
        };
        let passing = [
            ErrorKind::Unavailable,
            ErrorKind::Timeout,
            ErrorKind::Indeterminate,
            ErrorKind::ReadOnly,
        ];
        let errors = passing
            .iter()
            .flat_map(|kind| ASKED.map(|operation| (*kind, operation)));
        let lasting = [ErrorKind::Schema, ErrorKind::Permission, ErrorKind::Other];
        let errors = errors
            .chain(lasting.map(|kind| (kind, Operation::Acquire)))
            .map(|(kind, operation)| ((kind, operation), error_key(&base, kind, operation)));
        Self {
            attempts: key("shedlock.attempts", &[]),
            acquired: key("shedlock.acquired", &[]),
            taken_over: key("shedlock.takeovers", &[]),
            skipped: [
                skipped(SkipReason::Held),
                skipped(SkipReason::Contended),
                skipped(SkipReason::Paused),
                skipped(SkipReason::ShuttingDown),
            ],
            errors: errors.collect(),
            lost: [lost(LossReason::Deadline), lost(LossReason::Stolen)],
            overruns: key("shedlock.overruns", &[]),
            extended: key("shedlock.extensions", &[("ok", "true")]),
            not_extended: key("shedlock.extensions", &[("ok", "false")]),
            released: key("shedlock.releases", &[("ok", "true")]),
            not_released: key("shedlock.releases", &[("ok", "false")]),
            acquire_seconds: key("shedlock.acquire.seconds", &[]),
            hold_seconds: key("shedlock.hold.seconds", &[]),
            body_seconds: [
                body(RunOutcome::Completed),
                body(RunOutcome::Failed),
                body(RunOutcome::Panicked),
                body(RunOutcome::Dropped),
                body(RunOutcome::Lost),
                body(RunOutcome::ShutDown),
            ],
            extension_delay: key("shedlock.extension.delay.seconds", &[]),
            held: key("shedlock.held", &[]),
            lease_remaining: key("shedlock.lease.remaining.seconds", &[]),
            last_success: key("shedlock.last_success.timestamp", &[]),
            last_position: key("shedlock.last_success.position", &[]),
            shown_to: AtomicUsize::new(0),
            base,
        }
    }

    pub(super) fn skipped(&self, reason: SkipReason) -> Cow<'_, Key> {
        find(&self.skipped, &reason, || {
            key(
                "shedlock.skipped",
                &self.base,
                &[("reason", reason.as_str())],
            )
        })
    }

    pub(super) fn errors(&self, kind: ErrorKind, operation: Operation) -> Cow<'_, Key> {
        find(&self.errors, &(kind, operation), || {
            error_key(&self.base, kind, operation)
        })
    }

    pub(super) fn lost(&self, reason: LossReason) -> Cow<'_, Key> {
        find(&self.lost, &reason, || {
            key(
                "shedlock.losses",
                &self.base,
                &[("reason", reason.as_str())],
            )
        })
    }

    pub(super) fn body_seconds(&self, outcome: RunOutcome) -> Cow<'_, Key> {
        find(&self.body_seconds, &outcome, || {
            key(
                "shedlock.body.seconds",
                &self.base,
                &[("outcome", outcome.as_str())],
            )
        })
    }

    /// Registers every series with `recorder`, with the value zero. A counter that first appears with the value 1 shows no increase, so an
    /// alert on increases would miss the first event.
    ///
    /// The gauge of the remaining lease is registered with its first value, because zero would mean that the lease has ended.
    pub(super) fn show_to(&self, recorder: &dyn Recorder) {
        let who = identity(recorder);
        if self.shown_to.load(Ordering::Acquire) == who {
            return;
        }
        if DESCRIBED_TO.swap(who, Ordering::AcqRel) != who {
            describe::describe_to(recorder);
        }
        let counters = [
            &self.attempts,
            &self.acquired,
            &self.taken_over,
            &self.overruns,
            &self.extended,
            &self.not_extended,
            &self.released,
            &self.not_released,
        ];
        let counters = counters
            .into_iter()
            .chain(self.skipped.iter().map(|(_, key)| key))
            .chain(self.errors.iter().map(|(_, key)| key))
            .chain(self.lost.iter().map(|(_, key)| key));
        for key in counters {
            recorder.register_counter(key, &META).increment(0);
        }
        let histograms = [
            &self.acquire_seconds,
            &self.hold_seconds,
            &self.extension_delay,
        ];
        let bodies = self.body_seconds.iter().map(|(_, key)| key);
        for key in histograms.into_iter().chain(bodies) {
            let _registered = recorder.register_histogram(key, &META);
        }
        for key in [&self.held, &self.last_success] {
            recorder.register_gauge(key, &META).increment(0.0);
        }
        self.shown_to.store(who, Ordering::Release);
    }
}

fn key(name: &'static str, base: &[Label; 2], more: &[(&'static str, &'static str)]) -> Key {
    let more = more
        .iter()
        .map(|(label, value)| Label::from_static_parts(label, value));
    Key::from_parts(name, base.iter().cloned().chain(more).collect::<Vec<_>>())
}

fn error_key(base: &[Label; 2], kind: ErrorKind, operation: Operation) -> Key {
    let op = match operation {
        Operation::History => "history",
        Operation::Prune => "prune",
        other => other.as_str(),
    };
    let labels = [("kind", kind.as_str()), ("op", op)];
    key("shedlock.errors", base, &labels)
}

fn find<'k, T: PartialEq>(
    keys: &'k [(T, Key)],
    wanted: &T,
    make: impl FnOnce() -> Key,
) -> Cow<'k, Key> {
    match keys.iter().find(|(of, _)| of == wanted) {
        Some((_, key)) => Cow::Borrowed(key),
        None => Cow::Owned(make()),
    }
}

/// An identity of a recorder. A program has one recorder, and tests have several.
pub(super) fn identity(recorder: &dyn Recorder) -> usize {
    ptr::from_ref(recorder).cast::<()>().addr()
}
