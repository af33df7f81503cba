//! The poll gate: a body is polled only while its lease is live, or is told that it is not.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::hold::held::LockState;
use crate::hold::running;
use crate::observe::event::{LossReason, RunOutcome};
use crate::observe::events;
use crate::run::context;
use crate::run::watch::Watch;
use crate::values::error::{ErrorKind, LockError, Operation};
use crate::values::options::OnLost;

/// Tells a failure among what a body returns.
pub(crate) type Judge<T> = fn(&T) -> bool;

/// A body that runs as the holder of a lock.
///
/// Before each poll the deadline is compared with the boot-time clock: a process that was stopped for longer than the
/// lease does no further work. The body lives with the caller, so that no layer of futures copies it.
pub(crate) struct Gate<'b, F: Future> {
    body: Pin<&'b mut Option<F>>,
    /// Whether what the body returned is a failure.
    judge: Judge<F::Output>,
    state: &'b Arc<LockState>,
    on_lost: OnLost,
    /// How often the lease is extended.
    period: Option<Duration>,
    /// The lease was found live a moment ago, when it was granted.
    fresh: bool,
    /// Made when the body first waits.
    watch: Option<Box<Watch>>,
}

impl<'b, F: Future> Gate<'b, F> {
    pub(crate) fn new(
        (body, judge): (Pin<&'b mut Option<F>>, Judge<F::Output>),
        state: &'b Arc<LockState>,
        on_lost: OnLost,
        period: Option<Duration>,
    ) -> Self {
        state.begin(on_lost);
        Self {
            body,
            judge,
            state,
            on_lost,
            period,
            fresh: true,
            watch: None,
        }
    }

    /// For a lock that was taken a while ago, so that it may be lost already.
    pub(crate) fn looking_first(mut self) -> Self {
        self.fresh = false;
        self
    }

    /// The body is over: its destructors run under its lock, and nothing else does.
    fn end(&mut self, outcome: RunOutcome) {
        let body = &mut self.body;
        if body.is_some() {
            context::enter_to_drop(Arc::clone(self.state), || body.set(None));
        }
        self.finish(outcome);
    }

    fn finish(&mut self, outcome: RunOutcome) {
        if let Some(watch) = self.watch.take() {
            watch.end(self.state);
        }
        self.state.set_running(false);
        events::finished(&**self.state, outcome);
    }

    /// Looks after the lease; says what ends the body, if something does.
    fn look(&mut self, cx: &mut Context<'_>) -> Option<RunOutcome> {
        if mem::take(&mut self.fresh) {
            return None;
        }
        if let Some(watch) = &mut self.watch {
            watch.poll(self.state, cx);
        }
        if self.state.is_shut_down() {
            return Some(RunOutcome::ShutDown);
        }
        if self.state.remaining().is_some() {
            return None;
        }
        let why = "its lease ended while it was running";
        self.state.lose(LossReason::Deadline, why);
        (self.on_lost == OnLost::Cancel).then_some(RunOutcome::Lost)
    }

    /// Has the task woken for what is due, for a loss and for a shutdown.
    fn rest(&mut self, cx: &mut Context<'_>) {
        let state = self.state;
        let watch = self.watch.get_or_insert_with(|| {
            running::register(state);
            Box::new(Watch::new(state, self.period))
        });
        watch.arm(state, cx);
        let had_ended = state.has_ended();
        state.wake_gate_by(cx.waker());
        // What came before the waker was there woke nobody.
        let cancelled = state.is_shut_down() || self.on_lost == OnLost::Cancel;
        if state.has_ended() && (cancelled || !had_ended) {
            cx.waker().wake_by_ref();
        }
    }
}

impl<F: Future> Future for Gate<'_, F> {
    type Output = Result<F::Output, LockError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(outcome) = this.look(cx) {
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
                if !late.is_zero() && !this.state.was_stolen() {
                    events::overrun(&**this.state, late);
                }
                this.finish(if (this.judge)(&value) {
                    RunOutcome::Failed
                } else {
                    RunOutcome::Completed
                });
                Poll::Ready(Ok(value))
            }
            Poll::Pending => {
                this.rest(cx);
                Poll::Pending
            }
        }
    }
}

// The destructors of a body that ended, panicked or was cancelled run under its lock: the gate is dropped before it.
impl<F: Future> Drop for Gate<'_, F> {
    fn drop(&mut self) {
        // Also if its destructor has panicked.
        if self.state.is_running() {
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
    } else if state.was_stolen() {
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
