//! Counters, histograms and gauges of every lock, for the recorder of the `metrics` facade that the program has installed.
//!
//! Series are labelled with the template of a lock's name and not with the name, because the number of series must not grow with the data.

use std::mem::size_of_val;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use metrics::{Key, Recorder, with_recorder};

use self::series::{META, Series};
use super::Subject;
use crate::observe::event::{EventKind, LockEvent};
use crate::values::error::Operation;
use crate::values::outcome::RunOutcome;

mod describe;
mod groups;
mod series;

/// Whether the program has a recorder.
pub(super) fn any() -> bool {
    // The facade has no function for this. Its default recorder, which does nothing, is a type of size zero.
    with_recorder(|recorder| size_of_val(recorder) != 0)
}

/// Adds `event` to the series of its lock.
pub(super) fn record(event: &LockEvent) {
    if !any() || is_by_an_operator(&event.kind) {
        return;
    }
    let series = groups::series(&event.template, event.provider);
    with_recorder(|recorder| {
        series.show_to(recorder);
        Meters { recorder }.add(&series, event);
    });
}

/// Whether an operator caused the event. An operator gives a name and no template, so the event would make series that stay at zero for
/// ever.
fn is_by_an_operator(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::Paused { .. } | EventKind::Resumed | EventKind::ForceReleased { .. }
    )
}

/// The recorder, with the three operations that this module needs.
struct Meters<'r> {
    recorder: &'r dyn Recorder,
}

impl Meters<'_> {
    fn add(&self, series: &Series, event: &LockEvent) {
        match &event.kind {
            EventKind::Acquired { took, .. } => {
                self.count(&series.attempts);
                self.count(&series.acquired);
                self.seconds(&series.acquire_seconds, *took);
            }
            EventKind::TakenOver(_) => self.count(&series.taken_over),
            EventKind::Skipped { reason, took, .. } => {
                self.count(&series.attempts);
                self.count(&series.skipped(*reason));
                self.seconds(&series.acquire_seconds, *took);
            }
            EventKind::Failed(error) => {
                self.count(&series.attempts);
                self.count(&series.errors(error.kind(), Operation::Acquire));
            }
            EventKind::Extended { left, late, .. } => {
                self.count(&series.extended);
                self.set(&series.lease_remaining, left.as_secs_f64());
                if let Some(late) = late {
                    self.seconds(&series.extension_delay, *late);
                }
            }
            EventKind::ExtendFailed { error, .. } => {
                self.count(&series.not_extended);
                self.count(&series.errors(error.kind(), Operation::Extend));
            }
            EventKind::Expiring { left } => self.set(&series.lease_remaining, left.as_secs_f64()),
            EventKind::Lost(reason) => self.count(&series.lost(*reason)),
            EventKind::Overrun { .. } => self.count(&series.overruns),
            EventKind::Finished {
                outcome,
                took,
                position,
            } => {
                self.seconds(&series.body_seconds(*outcome), *took);
                if *outcome == RunOutcome::Completed {
                    let since = event.at.duration_since(UNIX_EPOCH).unwrap_or_default();
                    self.set(&series.last_success, since.as_secs_f64());
                    if let Some(position) = position {
                        self.set(&series.last_position, as_gauge(position.number));
                    }
                }
            }
            EventKind::Released { held, .. } => {
                self.count(&series.released);
                self.seconds(&series.hold_seconds, *held);
            }
            EventKind::ReleaseFailed { error, .. } => {
                self.count(&series.not_released);
                self.count(&series.errors(error.kind(), Operation::Release));
            }
            EventKind::HistoryFailed { error } => {
                self.count(&series.errors(error.kind(), Operation::History));
            }
            EventKind::CleanUpFailed { error } => {
                self.count(&series.errors(error.kind(), Operation::Prune));
            }
            EventKind::Abandoned => self.count(&series.not_released),
            EventKind::Indeterminate
            | EventKind::OrphanCleared
            | EventKind::Starved { .. }
            | EventKind::Paused { .. }
            | EventKind::Resumed
            | EventKind::ForceReleased { .. } => {}
        }
    }

    fn count(&self, key: &Key) {
        self.recorder.register_counter(key, &META).increment(1);
    }

    fn seconds(&self, key: &Key, took: Duration) {
        let histogram = self.recorder.register_histogram(key, &META);
        histogram.record(took.as_secs_f64());
    }

    fn set(&self, key: &Key, value: f64) {
        self.recorder.register_gauge(key, &META).set(value);
    }
}

/// `number` as the value of a gauge. Milliseconds since 1970 are exact for some hundred thousand years.
#[allow(clippy::cast_precision_loss, reason = "a gauge has no other type")]
const fn as_gauge(number: u64) -> f64 {
    number as f64
}

/// Counts a lock in the gauge `shedlock.held`, from [`begin`](Self::begin) to [`end`](Self::end). The caller calls `end` once.
pub(crate) struct Holding(Option<Counted>);

struct Counted {
    series: Arc<Series>,
    /// The recorder that counted the lock. The gauge of another recorder must not be decremented.
    recorder: usize,
}

impl Holding {
    pub(crate) fn begin(subject: &Subject) -> Self {
        Self(any().then(|| {
            let series = groups::series(&subject.group(), subject.provider);
            let recorder = with_recorder(|recorder| {
                series.show_to(recorder);
                recorder.register_gauge(&series.held, &META).increment(1.0);
                series::identity(recorder)
            });
            Counted { series, recorder }
        }))
    }

    /// Removes the lock from the gauge.
    pub(crate) fn end(&self) {
        let Some(counted) = &self.0 else { return };
        with_recorder(|recorder| {
            if series::identity(recorder) == counted.recorder {
                let held = recorder.register_gauge(&counted.series.held, &META);
                held.decrement(1.0);
            }
        });
    }
}

#[cfg(test)]
mod tests;
