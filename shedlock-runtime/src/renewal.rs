//! Keep-alive: the lease of a running body, extended again and again by the task that runs it.
//!
//! Inside the task nothing outlives the body: a future that is dropped, forgotten or no longer polled stops extending, and
//! the store frees the lock.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use backon::ExponentialBackoff;

use crate::clock::BootInstant;
use crate::error::{ErrorKind, LockError};
use crate::events;
use crate::held::{LockState, Try};
use crate::pauses::pauses;

type Call = Pin<Box<dyn Future<Output = Result<(), LockError>> + Send>>;

/// Extends a lease by `at_most` every `period`.
pub(crate) struct Renewal {
    period: Duration,
    next: BootInstant,
    call: Option<Call>,
    /// The pauses between tries of an extension that has failed.
    pauses: Option<Box<ExponentialBackoff>>,
}

impl Renewal {
    pub(crate) fn new(state: &LockState, period: Duration) -> Self {
        // Later, one failure would be the end.
        let period = period.min(state.at_most() / 5 * 4);
        // From the last time that the store was asked for the lease: a body may have blocked its thread since.
        let asked = state.deadline().saturating_sub(state.at_most());
        Self {
            period,
            next: asked.saturating_add(period),
            call: None,
            pauses: None,
        }
    }

    /// How long before its end a lease is given up that could not be extended: its body is told or cancelled before the
    /// store gives the lock to somebody else.
    pub(crate) fn margin(at_most: Duration) -> Duration {
        (at_most / 20).min(Duration::from_millis(500))
    }

    /// When the task is to be woken for the next extension; one on its way wakes it by itself.
    pub(crate) fn due(&self, state: &LockState) -> Option<BootInstant> {
        self.call.is_none().then(|| self.next(state))
    }

    fn next(&self, state: &LockState) -> BootInstant {
        if self.pauses.is_some() {
            return self.next;
        }
        // The body may have shortened its lease by hand.
        self.next.min(state.almost_over())
    }

    /// Does what is due.
    pub(crate) fn poll(&mut self, state: &Arc<LockState>, cx: &mut Context<'_>) {
        while !state.has_ended() {
            let Some(call) = &mut self.call else {
                let now = state.now();
                let next = self.next(state);
                if now < next {
                    return;
                }
                self.call = Some(extend(state, now.saturating_since(next)));
                continue;
            };
            match call.as_mut().poll(cx) {
                Poll::Ready(answer) => self.answered(state, answer),
                Poll::Pending => return,
            }
        }
        self.call = None;
    }

    fn answered(&mut self, state: &LockState, answer: Result<(), LockError>) {
        self.call = None;
        let pause = match answer {
            Ok(()) => {
                self.pauses = None;
                self.period
            }
            // Told already.
            Err(error) if error.kind() == ErrorKind::Lost => return,
            Err(error) => {
                events::extend_failed(state, &error);
                let longest = (state.at_most() / 10).min(Duration::from_secs(1));
                let pauses = self
                    .pauses
                    .get_or_insert_with(|| Box::new(pauses(Duration::from_millis(20), longest)));
                pauses.next().unwrap_or(longest)
            }
        };
        self.next = state.now().saturating_add(pause);
    }
}

fn extend(state: &Arc<LockState>, late: Duration) -> Call {
    let state = Arc::clone(state);
    let at_most = state.at_most();
    // A server that hangs must leave time to ask another connection.
    let limit = (at_most / 6).clamp(Duration::from_millis(100), Duration::from_secs(5));
    // At least as long as before: an extension adds to `at_least`, it takes nothing away.
    Box::pin(async move {
        let once = Try {
            limit,
            late: Some(late),
        };
        state.try_extend(at_most, Duration::ZERO, once).await
    })
}
