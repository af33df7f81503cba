//! Keep-alive: the task that runs a body extends the lease of the body again and again.
//!
//! The extensions are part of the body's task, so no extension outlives the body: a future that is dropped, forgotten or no
//! longer polled extends nothing, and the store frees the lock at the end of the lease.

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
    /// The earliest start of the next extension: the time of the store's last answer, plus a pause if the answer was a failure. Before
    /// the first answer, the time at which the extensions begin.
    not_before: BootInstant,
    pending: Option<PendingExtension>,
    /// The pauses between the attempts of an extension that has failed.
    backoff: Option<Box<ExponentialBackoff>>,
}

impl Extension {
    pub(crate) fn new(state: &LockState, period: Duration) -> Self {
        Self {
            // At most four fifths of the lease, so that a failed extension can be retried before the lease ends.
            period: period.min(state.at_most() / 5 * 4),
            not_before: state.now(),
            pending: None,
            backoff: None,
        }
    }

    /// How long before the end of a lease that could not be extended the lock is treated as lost, so that the body is notified
    /// or cancelled before the store can grant the lock to another node.
    pub(crate) fn margin(at_most: Duration) -> Duration {
        (at_most / 20).min(Duration::from_millis(500))
    }

    /// When the task must be woken for the next extension. `None` while an extension is pending, because the extension wakes the
    /// task by itself.
    pub(crate) fn due(&self, state: &LockState) -> Option<BootInstant> {
        self.pending.is_none().then(|| self.next(state))
    }

    fn next(&self, state: &LockState) -> BootInstant {
        // Counted back from the deadline and not on from the last extension, because the body may have called `extend`.
        let unused = state.at_most().saturating_sub(self.period);
        state.deadline().saturating_sub(unused).max(self.not_before)
    }

    /// Polls the pending extension, or begins the extension that is due. Each poll begins at most one extension.
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

    /// Stops the extensions. The answer to a pending extension is awaited in the background, so that the release of the lock is
    /// sent after that extension.
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
            // `try_extend` has recorded the loss and reported the event.
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
    // An `at_least` of zero leaves the lock's own `at_least` as it is: an extension never shortens `at_least`.
    Box::pin(async move {
        let attempt = ExtendAttempt {
            limit,
            late: Some(late),
        };
        state.try_extend(at_most, Duration::ZERO, attempt).await
    })
}
