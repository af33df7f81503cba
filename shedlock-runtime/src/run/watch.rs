//! What a body that waits needs besides its own wake-ups: the next extension, the last moments of its lease.
//!
//! One entry in the runtime's timer wheel for each body, whatever is due next; no task.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::hold::held::LockState;
use crate::observe::event::LossReason;
use crate::observe::events;
use crate::run::extension::Extension;
use crate::values::clock::BootInstant;

/// A task that is polled later than this, in parts of its lease, is reported.
const LATE: u32 = 10;
const LATE_AT_MOST: Duration = Duration::from_secs(1);

pub(crate) struct Watch {
    timer: Pin<Box<Sleep>>,
    extension: Option<Extension>,
    /// When the task was to be woken at the latest.
    due: Option<BootInstant>,
    /// The end of the lease that was announced, as nobody extends it.
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

    /// Does what is due, before the body is polled.
    pub(crate) fn poll(&mut self, state: &Arc<LockState>, cx: &mut Context<'_>) {
        let now = state.now();
        let late = self.due.take().map(|due| now.saturating_since(due));
        let tolerated = (state.at_most() / LATE).min(LATE_AT_MOST);
        if let Some(late) = late.filter(|late| *late > tolerated) {
            events::starved(&**state, late);
        }
        if let Some(extension) = &mut self.extension {
            extension.poll(state, cx);
            if !state.has_ended() && state.now() >= self.last_moment(state) {
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

    /// Has the task woken when something is due, if nothing wakes it before.
    pub(crate) fn arm(&mut self, state: &LockState, cx: &mut Context<'_>) {
        if state.has_ended() {
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
        // What is due moves with every extension; to within a millisecond, as fine as timers are.
        let set_for = self.timer.deadline();
        let moved = at.max(set_for).duration_since(at.min(set_for));
        if moved > Duration::from_millis(1) || self.timer.is_elapsed() {
            self.timer.as_mut().reset(at);
        }
        if self.timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    /// The body is over, and its lease is extended no more.
    pub(crate) fn end(mut self, state: &LockState) {
        if let Some(extension) = &mut self.extension {
            extension.leave(state);
        }
    }

    fn last_moment(&self, state: &LockState) -> BootInstant {
        let deadline = state.deadline();
        match self.extension {
            Some(_) => deadline.saturating_sub(Extension::margin(state.at_most())),
            None => deadline,
        }
    }
}
