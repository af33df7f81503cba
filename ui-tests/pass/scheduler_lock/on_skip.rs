//! `on_skip` and `on_error`.

use shedlock::{ErrorValue, LockError, SkipReason, scheduler_lock};
use std::fmt::Display;

/// A type of the user's without a natural skip value.
#[derive(Debug, PartialEq)]
pub enum Report {
    /// The job ran.
    Done(u32),
    /// It did not.
    Skipped(String),
    /// The store could not be asked.
    Failed(String),
}

/// The value uses the reason; a store error is such a skip as well.
#[scheduler_lock(name = "reason", at_most = "1m", on_skip = Report::Skipped(format!("{reason:?}")))]
pub async fn reason() -> Report {
    Report::Done(1)
}

/// The value does not use the reason.
#[scheduler_lock(name = "constant", at_most = "1m", on_skip = 0)]
pub async fn constant() -> u32 {
    1
}

/// Both, with a block and a path.
#[scheduler_lock(
    name = "both",
    at_most = "1m",
    on_skip = {
        let text = describe(*reason);
        Report::Skipped(text)
    },
    on_error = failed(error)
)]
pub async fn both() -> Report {
    Report::Done(1)
}

/// `on_error` alone.
#[scheduler_lock(name = "error", at_most = "1m", on_error = Some(error.to_string()))]
pub async fn error() -> Option<String> {
    None
}

/// `on_skip` where the error has a place: the error is returned.
#[scheduler_lock(name = "result", at_most = "1m", on_skip = Ok(0))]
pub async fn result() -> Result<u32, LockError> {
    Ok(1)
}

/// A `Result` by a name that does not say so.
pub type Count = Result<u32, LockError>;

/// `on_skip` where the error has a place that the name does not tell.
#[scheduler_lock(name = "alias", at_most = "1m", on_skip = Ok(0))]
pub async fn alias() -> Count {
    Ok(1)
}

/// The same, where the value is awaited.
#[scheduler_lock(name = "alias", at_most = "1m", on_skip = Ok(number().await))]
pub async fn awaited_alias() -> Count {
    Ok(1)
}

/// A type of the user's with a value of its own for an error.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The job ran, or did not.
    Counted(u32),
    /// The store could not be asked.
    Failed,
}

impl ErrorValue for Answer {
    fn error_value(_error: LockError) -> Self {
        Self::Failed
    }
}

/// The type says what an error is, and `on_skip` what a skip is.
#[scheduler_lock(name = "value", at_most = "1m", on_skip = Answer::Counted(0))]
pub async fn value() -> Answer {
    Answer::Counted(1)
}

/// An alias of `Option`.
pub type Perhaps<T> = Option<T>;

/// As `Option` by its name: an error is logged, and no skip.
#[scheduler_lock(name = "perhaps", at_most = "1m", on_skip = Some(0))]
pub async fn perhaps() -> Perhaps<u32> {
    Some(1)
}

/// Arguments are there as well, as long as the body does not take them.
#[scheduler_lock(name = "argument", at_most = "1m", on_skip = fallback)]
pub async fn argument(fallback: u32) -> u32 {
    fallback + 1
}

/// A value of an unnamed type.
#[scheduler_lock(name = "opaque", at_most = "1m", on_skip = u32::MIN)]
pub async fn opaque() -> impl Display {
    1_u32
}

/// A value of a type that is unnamed in part.
#[scheduler_lock(name = "partly_opaque", at_most = "1m")]
pub async fn partly_opaque() -> Result<Option<impl Display>, LockError> {
    Ok(Some(1_u32))
}

/// The value is awaited.
#[scheduler_lock(name = "awaited", at_most = "1m", on_skip = note(name, *reason).await)]
pub async fn awaited(name: &str) -> usize {
    name.len()
}

/// One is awaited, and the type says the other.
#[scheduler_lock(name = "awaited", at_most = "1m", on_error = Some(look_up().await))]
pub async fn awaited_error() -> Option<String> {
    None
}

/// A future that is made is not awaited.
#[scheduler_lock(name = "future", at_most = "1m", on_skip = size_of_val(&async { drop(look_up().await); }))]
pub async fn future() -> usize {
    0
}

async fn note(name: &str, reason: SkipReason) -> usize {
    tokio::task::yield_now().await;
    name.len() + reason.as_str().len()
}

async fn number() -> u32 {
    tokio::task::yield_now().await;
    0
}

async fn look_up() -> String {
    tokio::task::yield_now().await;
    "12".to_owned()
}

/// A reason in words.
#[must_use]
pub fn describe(reason: SkipReason) -> String {
    format!("{reason:?}")
}

/// An error as a report.
#[must_use]
pub fn failed(error: LockError) -> Report {
    Report::Failed(format!("{}", Box::<dyn std::error::Error>::from(error)))
}
