//! The body of a request, for which nobody waits for ever.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use tokio::time::timeout;

/// How long a client may take to send it. One packet carries the longest that makes sense.
const LIMIT: Duration = Duration::from_secs(10);

/// What is answered where [`InTime`] has nothing.
pub(super) const LATE: (StatusCode, &str) = (
    StatusCode::REQUEST_TIMEOUT,
    "the body of the request did not come in time",
);

/// What the body says, or `None` if it has not come in time. A client that sends none needs no token to keep its connection, and a
/// program has only so many of them.
#[derive(Debug)]
pub(super) struct InTime<T>(pub(super) Option<T>);

impl<S: Send + Sync, T: FromRequest<S>> FromRequest<S> for InTime<T> {
    type Rejection = T::Rejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        match timeout(LIMIT, T::from_request(request, state)).await {
            Ok(read) => Ok(Self(Some(read?))),
            Err(_elapsed) => Ok(Self(None)),
        }
    }
}
