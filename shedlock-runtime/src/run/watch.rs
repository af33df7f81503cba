//! Wakes a body that waits for what is due for its lease: the next extension, a warning, the end of the lease.
//!
//! Each body has one timer, set for whatever is due next, and no task of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::hold::held::LockState;
use crate::observe::event::LossReason;
use crate::observe::events::{self, HeldLock as _};
use crate::run::extension::Extension;
use crate::values::clock::BootInstant;

/// A task that is polled later than a tenth of its lease is reported as starved.
const TOLERATED_PARTS: u32 = 10;
/// A task that is polled later than this is reported as starved, however long its lease is.
const MAX_TOLERATED: Duration = Duration::from_secs(1);

/// What is due for the lease of a body, and the timer that wakes the task for it.
pub(crate) struct Watch {
    timer: Pin<Box<Sleep>>,
    extension: Option<Extension>,
    /// When the task is to be woken at the latest.
    due: Option<BootInstant>,
    /// The deadline that an event has announced, for a lease that is not extended.
    announced: Option<BootInstant>,
}

impl Watch {
    pub(crate) fn new(state: &LockState, period: Option<Duration>) -> Self {
        Self {
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            extension: period.map(|period| Extension::new(state, period)),
            due: None,
            announced: None,
        }
    }

    /// Does what is due for the lease, before the body is polled.
    pub(crate) fn poll(&mut self, state: &Arc<LockState>, cx: &mut Context<'_>) {
        let now = state.now();
        let late = self.due.take().map(|due| now.saturating_since(due));
        let tolerated = (state.at_most() / TOLERATED_PARTS).min(MAX_TOLERATED);
        if let Some(late) = late.filter(|late| *late > tolerated) {
            events::starved(&**state, late);
        }
        if let Some(extension) = &mut self.extension {
            extension.poll(state, cx);
            if !state.snapshot().has_ended() && state.now() >= self.last_moment(state) {
                let why = "it could not be extended before its end";
                state.lose(LossReason::Deadline, why);
            }
        } else if now >= state.almost_over() && self.announced != Some(state.deadline()) {
            self.announced = Some(state.deadline());
            if let Some(left) = state.remaining() {
                events::expiring(&**state, left);
            }
        }
    }

    /// Has the task woken when the next thing is due.
    pub(crate) fn arm(&mut self, state: &LockState, cx: &mut Context<'_>) {
        if state.snapshot().has_ended() {
            return;
        }
        let last = self.last_moment(state);
        let due = match &self.extension {
            Some(extension) => extension.due(state).map_or(last, |due| due.min(last)),
            None if self.announced == Some(state.deadline()) => last,
            None => state.almost_over(),
        };
        self.due = Some(due);
        let at = Instant::now() + due.saturating_since(state.now());
        // Timers count milliseconds. A smaller change, as the rounding of two clocks makes, is no reason to set the timer again.
        let set_for = self.timer.deadline();
        let moved = at.max(set_for).duration_since(at.min(set_for));
        if moved > Duration::from_millis(1) || self.timer.is_elapsed() {
            self.timer.as_mut().reset(at);
        }
        if self.timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    /// Stops the extensions, because the body is over.
    pub(crate) fn end(mut self, state: &LockState) {
        if let Some(extension) = &mut self.extension {
            extension.stop(state);
        }
    }

    /// When the lease is given up.
    fn last_moment(&self, state: &LockState) -> BootInstant {
        let deadline = state.deadline();
        match self.extension {
            Some(_) => deadline.saturating_sub(Extension::margin(state.at_most())),
            None => deadline,
        }
    }
}
