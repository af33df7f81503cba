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

use crate::hold::held::{LockState, Try};
use crate::observe::events;
use crate::values::backoff::backoff;
use crate::values::clock::BootInstant;
use crate::values::error::{ErrorKind, LockError};

type Call = Pin<Box<dyn Future<Output = Result<(), LockError>> + Send>>;

/// Extends a lease by `at_most` every `period`.
pub(crate) struct Extension {
    period: Duration,
    /// From the last answer of the store, after a failure with a pause.
    not_before: BootInstant,
    call: Option<Call>,
    /// The pauses between tries of an extension that has failed.
    backoff: Option<Box<ExponentialBackoff>>,
}

impl Extension {
    pub(crate) fn new(state: &LockState, period: Duration) -> Self {
        Self {
            // Later, one failure would be the end.
            period: period.min(state.at_most() / 5 * 4),
            not_before: state.deadline().saturating_sub(state.at_most()),
            call: None,
            backoff: None,
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
        // By what is left of the lease: the body may have blocked its thread since the store was last asked, and moved the
        // end by hand, to a later one too.
        let unused = state.at_most().saturating_sub(self.period);
        state.deadline().saturating_sub(unused).max(self.not_before)
    }

    /// Does what is due. Not again and again: what is due once more is so at the next poll.
    pub(crate) fn poll(&mut self, state: &Arc<LockState>, cx: &mut Context<'_>) {
        if state.has_ended() {
            return self.leave(state);
        }
        let mut call = if let Some(call) = self.call.take() {
            call
        } else {
            let (now, next) = (state.now(), self.next(state));
            if now < next {
                return;
            }
            extend(state, now.saturating_since(next))
        };
        match call.as_mut().poll(cx) {
            Poll::Ready(answer) => self.answered(state, answer),
            Poll::Pending => self.call = Some(call),
        }
    }

    /// Extends no more. A request on its way may be carried out whether or not somebody waits: its answer is awaited, so that
    /// what is asked next of this lock is asked after it.
    pub(crate) fn leave(&mut self, state: &LockState) {
        if let (Some(call), Some(runtime)) = (self.call.take(), state.runtime()) {
            drop(runtime.spawn(call));
        }
    }

    fn answered(&mut self, state: &LockState, answer: Result<(), LockError>) {
        let pause = match answer {
            Ok(()) => {
                self.backoff = None;
                Duration::ZERO
            }
            // Told already.
            Err(error) if error.kind() == ErrorKind::Lost => Duration::ZERO,
            Err(error) => {
                events::extend_failed(state, &error);
                let longest = (state.at_most() / 10).min(Duration::from_secs(1));
                let backoff = self
                    .backoff
                    .get_or_insert_with(|| Box::new(backoff(Duration::from_millis(20), longest)));
                backoff.next().unwrap_or(longest)
            }
        };
        self.not_before = state.now().saturating_add(pause);
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
