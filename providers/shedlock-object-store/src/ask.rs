//! One request, which is sent again while it has no answer or the store is busy.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use object_store::{Error, Result};
use tokio::time::{sleep, timeout};

use crate::error;

/// A request without an answer is dropped with its connection after this time, and sent again. A store answers most requests within some
/// tens of milliseconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// A list is as long as the bucket is full, and is many requests.
const LIST_WITHIN: Duration = Duration::from_secs(60);
/// How often a request may be without an answer. The time limit of a call usually ends the call before.
const MOST_UNANSWERED: usize = 30;
/// How often a request is sent again after an error that may pass.
const MOST_FAILURES: usize = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Why a request has no result.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The last error; `None` if there was no answer in time.
    pub(crate) error: Option<Error>,
    /// Whether an earlier copy of the request may have been carried out.
    pub(crate) is_in_doubt: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error: Some(error),
            is_in_doubt: false,
        }
    }
}

/// Sends the request that `send` makes, until there is an answer. A write may be sent again, because each write is on condition of a version:
/// a second copy finds another version, and changes nothing.
pub(crate) async fn ask<T, F>(send: impl Fn() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T>>,
{
    ask_within(ANSWER_WITHIN, send).await
}

/// Makes the list that `send` begins, from its beginning again after an error that may pass.
pub(crate) async fn ask_for_list<T, F>(send: impl Fn() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T>>,
{
    ask_within(LIST_WITHIN, send).await
}

async fn ask_within<T, F>(limit: Duration, send: impl Fn() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T>>,
{
    let pauses = ExponentialBuilder::default()
        .with_min_delay(FIRST_PAUSE)
        .with_jitter();
    let mut pauses = pauses.with_max_times(MOST_FAILURES).build();
    let (mut is_in_doubt, mut unanswered) = (false, 0);
    while unanswered < MOST_UNANSWERED {
        let Ok(answer) = timeout(limit, send()).await else {
            (is_in_doubt, unanswered) = (true, unanswered + 1);
            continue;
        };
        let error = match answer {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let may_pass = error::may_pass(&error);
        let Some(pause) = pauses.next().filter(|_| may_pass) else {
            let error = Some(error);
            return Err(Failure { error, is_in_doubt });
        };
        is_in_doubt |= error::may_be_done(&error);
        sleep(pause).await;
    }
    Err(Failure {
        error: None,
        is_in_doubt,
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{pending, ready};

    use object_store::client::{HttpError, HttpErrorKind};

    use super::*;

    fn broken(kind: HttpErrorKind) -> Error {
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let source = Box::new(HttpError::new(kind, reset));
        Error::Generic {
            store: "S3",
            source,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_no_answer_is_sent_again() {
        let count = &Cell::new(0);
        let send = || async move {
            count.set(count.get() + 1);
            match count.get() {
                1 => pending().await,
                2 => Err(broken(HttpErrorKind::Interrupted)),
                _ => Ok(count.get()),
            }
        };
        assert_eq!(ask(send).await.unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_that_stays_is_returned_and_doubt_is_kept() {
        let count = &Cell::new(0);
        let send = |first| {
            move || {
                count.set(count.get() + 1);
                let kind = if count.get() == 1 {
                    first
                } else {
                    HttpErrorKind::Connect
                };
                ready(Err::<(), _>(broken(kind)))
            }
        };
        let failure = ask(send(HttpErrorKind::Connect)).await.unwrap_err();
        assert!(!failure.is_in_doubt && count.replace(0) == 4, "{failure:?}");
        let failure = ask(send(HttpErrorKind::Interrupted)).await.unwrap_err();
        assert!(
            failure.is_in_doubt,
            "the first copy may have been carried out"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_never_answers_is_given_up() {
        let failure = ask(pending::<Result<()>>).await.unwrap_err();
        assert!(failure.error.is_none() && failure.is_in_doubt);
    }
}
