//! The poll gate: a body is polled only while its lease is live, or is told that it is not.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::context;
use crate::error::{ErrorKind, LockError};
use crate::events;
use crate::held::LockState;
use crate::renewal::Renewal;

/// What happens to a body whose lease ends before it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnLost {
    /// It is dropped without another poll.
    Cancel,
    /// It goes on; [`lock::lost`](crate::lock::lost) and `lock_assert!` tell it.
    Notify,
}

/// A body that runs as the holder of a lock.
///
/// Before each poll the deadline is compared with the boot-time clock: a process that was stopped for longer than the
/// lease does no further work. The body lives with the caller, so that no layer of futures copies it.
pub(crate) struct Gate<'b, F> {
    body: Pin<&'b mut Option<F>>,
    state: &'b Arc<LockState>,
    on_lost: OnLost,
    /// The lease was found live a moment ago, when it was granted.
    fresh: bool,
    /// Wakes a body that awaits something else at its deadline.
    alarm: Option<Pin<Box<Sleep>>>,
    renewal: Option<Box<Renewal>>,
}

impl<'b, F> Gate<'b, F> {
    pub(crate) fn new(
        body: Pin<&'b mut Option<F>>,
        state: &'b Arc<LockState>,
        on_lost: OnLost,
        renewal: Option<Box<Renewal>>,
    ) -> Self {
        Self {
            body,
            state,
            on_lost,
            fresh: true,
            alarm: None,
            renewal,
        }
    }

    fn drop_body(&mut self) {
        let body = &mut self.body;
        if body.is_some() {
            context::enter(Arc::clone(self.state), || body.set(None));
        }
    }
}

impl<F: Future> Future for Gate<'_, F> {
    type Output = Result<F::Output, LockError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(renewal) = &mut this.renewal {
            renewal.poll(cx);
        }
        if !mem::take(&mut this.fresh) && this.state.remaining().is_none() {
            events::lost(this.state, "its lease ended while it was running");
            if this.on_lost == OnLost::Cancel {
                this.drop_body();
                return Poll::Ready(Err(LockError::new(
                    ErrorKind::Lost,
                    "the lease ended while the task was running, so it was cancelled",
                )));
            }
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
        if polled.is_pending() && this.on_lost == OnLost::Cancel {
            // A renewal may have moved the deadline since, or have been refused: then the next poll is the last.
            set_alarm(this.state, &mut this.alarm, cx);
        }
        polled.map(Ok)
    }
}

// The destructors of a body that ended, panicked or was cancelled run under its lock: the gate is dropped before it.
impl<F> Drop for Gate<'_, F> {
    fn drop(&mut self) {
        self.drop_body();
    }
}

/// Has the task woken when its lease ends, if nothing wakes it before.
fn set_alarm(state: &LockState, alarm: &mut Option<Pin<Box<Sleep>>>, cx: &mut Context<'_>) {
    let alarm = alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep(Duration::ZERO)));
    let left = state.remaining().unwrap_or_default();
    let at = Instant::now() + left;
    // An extension moves the end, so the alarm follows it; to within a millisecond, as fine as timers are.
    if at.saturating_duration_since(alarm.deadline()) > Duration::from_millis(1)
        || alarm.is_elapsed()
    {
        alarm.as_mut().reset(at);
    }
    if alarm.as_mut().poll(cx).is_ready() {
        cx.waker().wake_by_ref();
    }
}
