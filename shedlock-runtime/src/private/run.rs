//! Running a body, and returning something else where it does not run.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;

use super::job::{Job, ResolvedCall};
use crate::run::executor;
use crate::values::error::LockError;
use crate::values::name::LockName;
use crate::values::outcome::{Outcome, SkipReason};

/// What became of the call. A macro: as an async function it would make every call's future larger.
macro_rules! attempt {
    ($job:ident, $body:ident, $error_of:ident) => {{
        // A panic shows no line of the user's: the name tells which function it is about.
        let resolved = $job.resolve();
        match resolved.map_err(|error| error.about(LockName::new($job.name()).ok())) {
            Ok(ResolvedCall::Nested) => {
                let body = $body.as_pin_mut().expect("it has not run yet");
                return body.await;
            }
            Ok(ResolvedCall::Locked(provider, config)) => {
                let ran = executor::run(&provider, &config, ($body, $error_of)).await;
                ran.map_err(|error| error.with_provider_id(provider.as_ref().info().id()))
            }
            Err(error) => Err(error),
        }
    }};
}

/// A body on its way to [`run`]: states what it gives back.
pub fn body<R, F: Future<Output = R>>(body: F) -> Option<F> {
    Some(body)
}

/// Runs `body` under the lock that `job` describes, or says why not.
///
/// # Cancel safety
///
/// As [`LockingTaskExecutor::execute`](crate::LockingTaskExecutor::execute).
pub async fn run<R, F: Future<Output = R>>(
    job: &Job,
    body: Pin<&mut Option<F>>,
    on_skip: impl FnOnce(&SkipReason) -> R,
    on_error: impl FnOnce(LockError) -> R,
    error_of: for<'v> fn(&'v R) -> Option<&'v dyn Display>,
) -> R {
    match attempt!(job, body, error_of) {
        Ok(Outcome::Executed(value)) => value,
        Ok(Outcome::Skipped(reason)) => on_skip(&reason),
        Err(error) => on_error(error),
    }
}

/// As [`run`], where what is returned instead has to be awaited.
///
/// # Cancel safety
///
/// As [`run`]; what is awaited instead is dropped with the call.
pub async fn run_then<R, F, S, E>(
    job: &Job,
    body: Pin<&mut Option<F>>,
    on_skip: impl FnOnce(SkipReason) -> S,
    on_error: impl FnOnce(LockError) -> E,
    error_of: for<'v> fn(&'v R) -> Option<&'v dyn Display>,
) -> R
where
    F: Future<Output = R>,
    S: Future<Output = R>,
    E: Future<Output = R>,
{
    match attempt!(job, body, error_of) {
        Ok(Outcome::Executed(value)) => value,
        Ok(Outcome::Skipped(reason)) => on_skip(reason).await,
        Err(error) => on_error(error).await,
    }
}
