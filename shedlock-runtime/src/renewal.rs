//! Keep-alive: the lease of a running body, extended again and again by the task that runs it.
//!
//! Inside the task nothing outlives the body: a future that is dropped, forgotten or no longer polled stops renewing, and
//! the store frees the lock.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use backon::ExponentialBackoff;
use tokio::time::{Instant, Sleep};

use crate::error::{ErrorKind, LockError};
use crate::events;
use crate::held::LockState;
use crate::pauses::pauses;

/// A lease shorter than this is over before a failed renewal could be tried again.
const SHORTEST_LEASE: Duration = Duration::from_millis(300);

type Call = Pin<Box<dyn Future<Output = Result<(), LockError>> + Send>>;

/// Extends a lease by `at_most` every `period`.
pub(crate) struct Renewal {
    state: Arc<LockState>,
    at_most: Duration,
    period: Duration,
    next: Pin<Box<Sleep>>,
    call: Option<Call>,
    /// The pauses between tries of a renewal that has failed.
    pauses: Option<ExponentialBackoff>,
    over: bool,
}

/// Refuses a lease that cannot be kept alive.
pub(crate) fn check(at_most: Duration, period: Duration) -> Result<(), LockError> {
    if at_most < SHORTEST_LEASE {
        return Err(LockError::new(
            ErrorKind::Configuration,
            "`keep_alive` needs an `at_most` of 300ms or more",
        )
        .with_remedy("give the lock a longer lease; it ends early when the job does"));
    }
    if period >= at_most {
        return Err(LockError::new(
            ErrorKind::Configuration,
            "the period of `keep_alive` is not shorter than `at_most`, so the lease would end first",
        )
        .with_remedy("leave the period out: it is half of `at_most`"));
    }
    Ok(())
}

impl Renewal {
    pub(crate) fn new(state: Arc<LockState>, at_most: Duration, period: Duration) -> Self {
        let next = Box::pin(tokio::time::sleep(period));
        Self {
            state,
            at_most,
            period,
            next,
            call: None,
            pauses: None,
            over: false,
        }
    }

    /// Does what is due; the task is woken when more is.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        while !self.over {
            match &mut self.call {
                Some(call) => match call.as_mut().poll(cx) {
                    Poll::Ready(answer) => self.answered(answer),
                    Poll::Pending => return,
                },
                None => match self.next.as_mut().poll(cx) {
                    Poll::Ready(()) => {
                        let (state, at_most) = (Arc::clone(&self.state), self.at_most);
                        // At least as long as before: an extension adds to `at_least`, it takes nothing away.
                        let call = async move { state.extend(at_most, Duration::ZERO).await };
                        self.call = Some(Box::pin(call));
                    }
                    Poll::Pending => return,
                },
            }
        }
    }

    fn answered(&mut self, answer: Result<(), LockError>) {
        self.call = None;
        let pause = match answer {
            Ok(()) => {
                self.pauses = None;
                self.period
            }
            Err(error) if error.kind() == ErrorKind::Lost => {
                self.over = true;
                return;
            }
            Err(error) => {
                events::renew_failed(&self.state, &error);
                let longest = (self.at_most / 10).min(Duration::from_secs(1));
                let pauses = self
                    .pauses
                    .get_or_insert_with(|| pauses(Duration::from_millis(20), longest));
                pauses.next().unwrap_or(longest)
            }
        };
        self.next.as_mut().reset(Instant::now() + pause);
    }
}
