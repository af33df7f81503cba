//! Keep-alive: the lease of a running body, extended again and again by the task that runs it.
//!
//! The extensions are part of the body's task, so none outlives the body: a future that is dropped, forgotten or no longer
//! polled extends nothing, and the store frees the lock.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use backon::ExponentialBackoff;

use crate::hold::held::{ExtendAttempt, LockState};
use crate::observe::events;
use crate::values::backoff::backoff;
use crate::values::clock::BootInstant;
use crate::values::error::{ErrorKind, LockError};

type PendingExtension = Pin<Box<dyn Future<Output = Result<(), LockError>> + Send>>;

/// Extends a lease by `at_most` every `period`.
pub(crate) struct Extension {
    period: Duration,
    /// The next extension begins no sooner than the last answer of the store and, if that was a failure, a pause after it.
    not_before: BootInstant,
    pending: Option<PendingExtension>,
    /// The pauses between the attempts of an extension that has failed.
    backoff: Option<Box<ExponentialBackoff>>,
}

impl Extension {
    pub(crate) fn new(state: &LockState, period: Duration) -> Self {
        Self {
            // No later than after four fifths of the lease, so that a failed extension can be retried before the lease ends.
            period: period.min(state.at_most() / 5 * 4),
            not_before: state.deadline().saturating_sub(state.at_most()),
            pending: None,
            backoff: None,
        }
    }

    /// How long before its end a lease that could not be extended is given up, so that the body is told or cancelled before
    /// the store can grant the lock to somebody else.
    pub(crate) fn margin(at_most: Duration) -> Duration {
        (at_most / 20).min(Duration::from_millis(500))
    }

    /// When the task is to be woken for the next extension. `None` while an extension is pending, which wakes the task by
    /// itself.
    pub(crate) fn due(&self, state: &LockState) -> Option<BootInstant> {
        self.pending.is_none().then(|| self.next(state))
    }

    fn next(&self, state: &LockState) -> BootInstant {
        // Counted back from the deadline, and not on from the last extension: the body may have moved the deadline by hand.
        let unused = state.at_most().saturating_sub(self.period);
        state.deadline().saturating_sub(unused).max(self.not_before)
    }

    /// Polls the pending extension, or begins the one that is due. There is at most one in each poll.
    pub(crate) fn poll(&mut self, state: &Arc<LockState>, cx: &mut Context<'_>) {
        if state.snapshot().has_ended() {
            return self.stop(state);
        }
        let mut pending = if let Some(pending) = self.pending.take() {
            pending
        } else {
            let (now, next) = (state.now(), self.next(state));
            if now < next {
                return;
            }
            extend(state, now.saturating_since(next))
        };
        match pending.as_mut().poll(cx) {
            Poll::Ready(answer) => self.answered(state, answer),
            Poll::Pending => self.pending = Some(pending),
        }
    }

    /// Extends no more. The answer to a pending extension is awaited in the background, so that the release of the lock is
    /// sent after it.
    pub(crate) fn stop(&mut self, state: &LockState) {
        if let (Some(pending), Some(runtime)) = (self.pending.take(), state.runtime()) {
            drop(runtime.spawn(pending));
        }
    }

    fn answered(&mut self, state: &LockState, answer: Result<(), LockError>) {
        let pause = match answer {
            Ok(()) => {
                self.backoff = None;
                Duration::ZERO
            }
            // `try_extend` has noted the loss, and reported it as an event.
            Err(error) if error.kind() == ErrorKind::Lost => Duration::ZERO,
            Err(error) => {
                events::extend_failed(state, &error);
                let max_backoff = (state.at_most() / 10).min(Duration::from_secs(1));
                let backoff = self.backoff.get_or_insert_with(|| {
                    Box::new(backoff(Duration::from_millis(20), max_backoff))
                });
                backoff.next().unwrap_or(max_backoff)
            }
        };
        self.not_before = state.now().saturating_add(pause);
    }
}

fn extend(state: &Arc<LockState>, late: Duration) -> PendingExtension {
    let state = Arc::clone(state);
    let at_most = state.at_most();
    // Shorter than the lease, so that a server that hangs leaves time for another attempt on another connection.
    let limit = (at_most / 6).clamp(Duration::from_millis(100), Duration::from_secs(5));
    // With an `at_least` of zero, which leaves the one that the lock has: an extension never shortens it.
    Box::pin(async move {
        let attempt = ExtendAttempt {
            limit,
            late: Some(late),
        };
        state.try_extend(at_most, Duration::ZERO, attempt).await
    })
}
