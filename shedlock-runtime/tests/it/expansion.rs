//! What an expansion writes around a body, without the macro.

use std::fmt::Display;
use std::pin::pin;

use shedlock_runtime::__private::{Job, run as run_pinned};
use shedlock_runtime::{LockError, SkipReason};

/// Runs `body` under the lock that `job` describes.
pub(crate) async fn run<R, F: Future<Output = R>>(
    job: Job,
    body: F,
    on_skip: impl FnOnce(&SkipReason) -> R,
    on_error: impl FnOnce(LockError) -> R,
    error_of: for<'v> fn(&'v R) -> Option<&'v dyn Display>,
) -> R {
    run_pinned(&job, pin!(Some(body)), on_skip, on_error, error_of).await
}
