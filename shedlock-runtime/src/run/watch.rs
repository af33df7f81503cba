//! Wakes the task of a pending body when something is due for the body's lease: the next extension, a warning, or the end of the lease.
//!
//! Each body has one timer, which is set for whatever is due next. No other task is needed.

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

/// A task that is polled too late by more than a tenth of its lease is reported as starved.
const TOLERATED_PARTS: u32 = 10;
/// A task that is polled too late by more than this is reported as starved, even if its lease is long.
const MAX_TOLERATED: Duration = Duration::from_secs(1);

/// What is due for the lease of a body, and the timer that wakes the task for it.
pub(crate) struct Watch {
    timer: Pin<Box<Sleep>>,
    extension: Option<Extension>,
    /// The latest time at which the task must be woken.
    due: Option<BootInstant>,
    /// The deadline for which the event `Expiring` has been reported; only for a lease without keep-alive.
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

    /// Sets the timer, so that the task is woken when the next thing is due.
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
        let (now, left) = (Instant::now(), due.saturating_since(state.now()));
        // Timers count milliseconds. A smaller difference comes from the rounding of the two clocks.
        let is_late = self.timer.deadline() > now + left + Duration::from_millis(1);
        if is_late || self.timer.is_elapsed() {
            let nap = left.min(state.longest_nap());
            self.timer.as_mut().reset(now + nap);
        }
        if self.timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    /// Stops the extensions, because the body has ended.
    pub(crate) fn end(mut self, state: &LockState) {
        if let Some(extension) = &mut self.extension {
            extension.stop(state);
        }
    }

    /// When the lock is treated as lost: at the deadline, or a margin earlier if the lease is extended.
    fn last_moment(&self, state: &LockState) -> BootInstant {
        let deadline = state.deadline();
        match self.extension {
            Some(_) => deadline.saturating_sub(Extension::margin(state.at_most())),
            None => deadline,
        }
    }
}
