//! The poll gate checks the lease before each poll of a body. A body whose lease has ended is dropped, unless `on_lost` is
//! "notify".

use std::fmt::Display;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::hold::held::LockState;
use crate::observe::event::LossReason;
use crate::observe::events::{self, HeldLock as _};
use crate::run::context;
use crate::run::watch::Watch;
use crate::values::error::{ErrorKind, LockError, Operation};
use crate::values::options::OnLost;
use crate::values::outcome::RunOutcome;

/// Returns the error in the value that a body returned, if the value is a failure. The text of the error may be empty.
pub(crate) trait ErrorOf<T>: for<'v> Fn(&'v T) -> Option<&'v dyn Display> + Unpin {}

impl<T, E: for<'v> Fn(&'v T) -> Option<&'v dyn Display> + Unpin> ErrorOf<T> for E {}

/// A body that runs as the holder of a lock.
///
/// Before each poll, the deadline is compared with the forward clock, so a process that was stopped for longer than the
/// lease does no further work. The gate borrows the body from the caller, so that no layer of futures copies the body.
pub(crate) struct Gate<'b, F: Future, E: ErrorOf<F::Output>> {
    body: Pin<&'b mut Option<F>>,
    error_of: E,
    state: &'b Arc<LockState>,
    on_lost: OnLost,
    /// How often the lease is extended; `None` if the lease is not extended.
    period: Option<Duration>,
    /// Whether the lease was granted a moment ago, so that the first poll needs no check.
    just_granted: bool,
    /// Whether the body is the whole run, and not a part of the work under a guard.
    is_run: bool,
    /// `Some` once a poll of the body has returned `Pending`.
    watch: Option<Box<Watch>>,
}

impl<'b, F: Future, E: ErrorOf<F::Output>> Gate<'b, F, E> {
    pub(crate) fn new(
        (body, error_of): (Pin<&'b mut Option<F>>, E),
        state: &'b Arc<LockState>,
        on_lost: OnLost,
        period: Option<Duration>,
    ) -> Self {
        state.begin_body(on_lost);
        Self {
            body,
            error_of,
            state,
            on_lost,
            period,
            just_granted: true,
            is_run: true,
            watch: None,
        }
    }

    /// For a part of the work under a guard. The lock was not taken just now and may be lost already, so the lease is checked before the
    /// first poll as well. The end of the part is not the end of the run: the guard says when and how that ends.
    pub(crate) fn for_part_of_run(mut self) -> Self {
        self.just_granted = false;
        self.is_run = false;
        self
    }

    /// Drops the body within the task-local scope of its lock, and ends the run.
    fn end(&mut self, outcome: RunOutcome) {
        let body = &mut self.body;
        if body.is_some() {
            context::enter_to_drop(Arc::clone(self.state), || body.set(None));
        }
        self.finish(outcome, None);
    }

    /// Ends the run of a body that has been dropped. `error` is the text of the error with which the run failed, if there is one.
    fn finish(&mut self, outcome: RunOutcome, error: Option<&str>) {
        if let Some(watch) = self.watch.take() {
            watch.end(self.state);
        }
        self.state.end_body();
        if !self.is_run && matches!(outcome, RunOutcome::Completed | RunOutcome::Dropped) {
            return;
        }
        if outcome == RunOutcome::Completed {
            self.state.note_done();
        }
        events::finished(&**self.state, outcome);
        self.state.enter_in_history(outcome, error);
    }

    /// Does what is due for the lease, and checks the lease. Returns the outcome if the body must end, and `None` if it may be polled.
    fn check_lease(&mut self, cx: &mut Context<'_>) -> Option<RunOutcome> {
        if mem::take(&mut self.just_granted) {
            return None;
        }
        if let Some(watch) = &mut self.watch {
            watch.poll(self.state, cx);
        }
        if self.state.snapshot().is_shut_down() {
            return Some(RunOutcome::ShutDown);
        }
        if self.state.remaining().is_some() {
            return None;
        }
        let why = "its lease ended while it was running";
        self.state.lose(LossReason::Deadline, why);
        (self.on_lost == OnLost::Cancel).then_some(RunOutcome::Lost)
    }

    /// Arranges that the task is woken when something is due for the lease, when the lock is lost and when the process shuts down.
    fn arm_wakeups(&mut self, cx: &mut Context<'_>) {
        let state = self.state;
        let watch = self.watch.get_or_insert_with(|| {
            state.register();
            Box::new(Watch::new(state, self.period))
        });
        watch.arm(state, cx);
        let had_ended = state.snapshot().has_ended();
        state.wake_gate_by(cx.waker());
        // A loss or a shutdown before the waker was registered has not woken this task.
        let now = state.snapshot();
        let cancels = now.is_shut_down() || self.on_lost == OnLost::Cancel;
        if now.has_ended() && (cancels || !had_ended) {
            cx.waker().wake_by_ref();
        }
    }
}

impl<F: Future, E: ErrorOf<F::Output>> Future for Gate<'_, F, E> {
    type Output = Result<F::Output, LockError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(outcome) = this.check_lease(cx) {
            this.end(outcome);
            return Poll::Ready(Err(cancelled(this.state, outcome)));
        }
        let body = &mut this.body;
        let polled = context::enter(Arc::clone(this.state), || {
            let running = body.as_mut().as_pin_mut();
            let polled = running
                .expect("a gate is not polled after it ended")
                .poll(cx);
            if polled.is_ready() {
                body.set(None);
            }
            polled
        });
        match polled {
            Poll::Ready(value) => {
                let late = this.state.now().saturating_since(this.state.deadline());
                if !late.is_zero() && !this.state.snapshot().was_stolen() {
                    events::overrun(&**this.state, late);
                }
                match (this.error_of)(&value) {
                    Some(error) => {
                        let error = this.state.error_text(error);
                        this.finish(RunOutcome::Failed, error.as_deref());
                    }
                    None => this.finish(RunOutcome::Completed, None),
                }
                Poll::Ready(Ok(value))
            }
            Poll::Pending => {
                this.arm_wakeups(cx);
                Poll::Pending
            }
        }
    }
}

// The gate is dropped before the lock is released, so that the destructors of a body that panicked or was dropped also run
// under the lock.
impl<F: Future, E: ErrorOf<F::Output>> Drop for Gate<'_, F, E> {
    fn drop(&mut self) {
        // The body is also still recorded as running if its destructor has panicked within `poll`.
        if self.state.snapshot().body().is_some() {
            self.end(if std::thread::panicking() {
                RunOutcome::Panicked
            } else {
                RunOutcome::Dropped
            });
        }
    }
}

fn cancelled(state: &LockState, outcome: RunOutcome) -> LockError {
    let error = if outcome == RunOutcome::ShutDown {
        LockError::new(
            ErrorKind::ShutDown,
            "the process is shutting down, so the task was cancelled",
        )
    } else if state.snapshot().was_stolen() {
        LockError::new(
            ErrorKind::Lost,
            "the lock was taken away while the task was running, so it was cancelled",
        )
        .with_remedy("somebody released, paused or deleted it in the store")
    } else {
        LockError::new(
            ErrorKind::Lost,
            "the lease ended while the task was running, so it was cancelled",
        )
    };
    let subject = state.subject();
    error.with_context(Operation::Run, subject.provider, Some(&subject.name))
}
