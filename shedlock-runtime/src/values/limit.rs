//! A limit on the time of one call to a store, free of charge for a store that answers at once.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::values::duration::{InvalidDuration, ToDuration};
use crate::values::error::{ErrorKind, LockError};

/// A limit that some store could keep.
pub(crate) fn checked_limit(limit: impl ToDuration) -> Result<Duration, InvalidDuration> {
    let limit = limit.to_duration()?;
    if limit < Duration::from_millis(1) {
        return Err(InvalidDuration::LimitTooShort);
    }
    Ok(limit)
}

/// A call to a store, as its provider makes it.
pub(crate) type Call<'a, T> = Pin<Box<dyn Future<Output = Result<T, LockError>> + Send + 'a>>;

/// Awaits `call` for at most `limit`.
///
/// The timer is made only when the call has to wait: a lock in memory answers at the first poll.
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
                format!("no answer within {}", humantime::format_duration(limit)),
            ))
        })
}

/// Polls `call`. A driver that panics has given no answer; the task that asked is not at fault, and goes on.
fn caught<T>(call: &mut Call<'_, T>, cx: &mut Context<'_>) -> Poll<Result<T, LockError>> {
    catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))).unwrap_or_else(|_panic| {
        Poll::Ready(Err(LockError::new(
            ErrorKind::Indeterminate,
            "the provider panicked before it answered",
        )))
    })
}
