//! A limit on the time that one call to a store may take. A call that is answered at once costs no timer.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::values::duration::{InvalidDuration, ToDuration};
use crate::values::error::{ErrorKind, LockError};
use crate::values::short_duration::short_duration;

/// Checks that a time limit is long enough for a store to answer.
pub(crate) fn checked_limit(limit: impl ToDuration) -> Result<Duration, InvalidDuration> {
    let limit = limit.to_duration()?;
    if limit < Duration::from_millis(1) {
        return Err(InvalidDuration::LimitTooShort);
    }
    Ok(limit)
}

/// How long the first of several attempts of one call may take out of `limit`: a quarter of it, from 50 milliseconds to a second.
///
/// A connection that sat idle may have been forgotten by a firewall or a server, and then answers nothing. An attempt over it must leave the
/// time for a second one over a new connection.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use shedlock_runtime::first_attempt_limit;
///
/// assert_eq!(first_attempt_limit(Duration::from_secs(2)), Duration::from_millis(500));
/// assert_eq!(first_attempt_limit(Duration::from_secs(60)), Duration::from_secs(1));
/// ```
#[must_use]
pub fn first_attempt_limit(limit: Duration) -> Duration {
    (limit / 4).clamp(Duration::from_millis(50), Duration::from_secs(1))
}

/// The future of a call to a store, as a method of its provider returns the future.
pub(crate) type Call<'a, T> = Pin<Box<dyn Future<Output = Result<T, LockError>> + Send + 'a>>;

/// Awaits `call` for at most `limit`.
///
/// The timer is created only if the call is pending after its first poll, which a call to a store in memory never is.
pub(crate) async fn limited<T>(limit: Duration, mut call: Call<'_, T>) -> Result<T, LockError> {
    let first = poll_fn(|cx| Poll::Ready(caught(&mut call, cx))).await;
    if let Poll::Ready(answer) = first {
        return answer;
    }
    tokio::time::timeout(limit, poll_fn(|cx| caught(&mut call, cx)))
        .await
        .unwrap_or_else(|_elapsed| {
            Err(LockError::new(
                ErrorKind::Timeout,
                format!("no answer within {}", short_duration(limit)),
            ))
        })
}

/// Polls `call`, and turns a panic of the store's driver into an error, so that the panic does not end the task that made the call.
fn caught<T>(call: &mut Call<'_, T>, cx: &mut Context<'_>) -> Poll<Result<T, LockError>> {
    catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))).unwrap_or_else(|_panic| {
        Poll::Ready(Err(LockError::new(
            ErrorKind::Indeterminate,
            "the provider panicked before it answered",
        )))
    })
}
