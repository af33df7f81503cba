//! A limit on the time of one call to a store, free of charge for a store that answers at once.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::error::{ErrorKind, LockError};

/// Awaits `call` for at most `limit`.
///
/// The timer is made only when the call has to wait: a lock in memory answers at the first poll.
pub(crate) async fn limited<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, LockError>>,
) -> Result<T, LockError> {
    let mut call = pin!(call);
    let first = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
    if let Poll::Ready(answer) = first {
        return answer;
    }
    tokio::time::timeout(limit, call)
        .await
        .unwrap_or_else(|_elapsed| {
            Err(LockError::new(
                ErrorKind::Timeout,
                format!("no answer within {}", humantime::format_duration(limit)),
            ))
        })
}
