//! The poll gate: a body is polled only while its lease is live, or is told that it is not.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};

use crate::context;
use crate::error::{ErrorKind, LockError};
use crate::events;
use crate::guard::LockState;

/// What happens to a body whose lease ends before it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OnLost {
    /// It is dropped without another poll.
    Cancel,
    /// It goes on; [`lock::lost`](crate::lock::lost) and `lock_assert!` tell it.
    #[default]
    Notify,
}

pin_project! {
    /// A body that runs as the holder of a lock.
    ///
    /// Before each poll the deadline is compared with the boot-time clock: a process that was stopped for longer than
    /// the lease does no further work.
    pub(crate) struct Gate<F> {
        #[pin]
        body: Option<F>,
        state: Arc<LockState>,
        on_lost: OnLost,
        // The lease was found live a moment ago, when it was granted.
        fresh: bool,
        // Wakes a body that awaits something else at its deadline.
        alarm: Option<Pin<Box<Sleep>>>,
    }
}

impl<F> Gate<F> {
    pub(crate) fn new(body: F, state: Arc<LockState>, on_lost: OnLost) -> Self {
        Self {
            body: Some(body),
            state,
            on_lost,
            fresh: true,
            alarm: None,
        }
    }
}

impl<F: Future> Future for Gate<F> {
    type Output = Result<F::Output, LockError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let state = &*this.state;
        if !std::mem::take(this.fresh) && state.remaining().is_none() {
            events::lost(state, "its lease ended while it was running");
            if *this.on_lost == OnLost::Cancel {
                context::enter(Arc::clone(state), || this.body.set(None));
                return Poll::Ready(Err(LockError::new(
                    ErrorKind::Lost,
                    "the lease ended while the task was running, so it was cancelled",
                )));
            }
        }
        let body = this
            .body
            .as_mut()
            .as_pin_mut()
            .expect("a gate is not polled after it ended");
        let polled = context::enter(Arc::clone(state), || body.poll(cx));
        if polled.is_pending() && *this.on_lost == OnLost::Cancel {
            set_alarm(state, this.alarm, cx);
        }
        polled.map(Ok)
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
