//! Every return type that can stand for a skipped call by itself.

use shedlock::{LockError, Outcome, scheduler_lock};
use std::error::Error;
use std::fmt;

/// An error of the user's.
#[derive(Debug)]
pub enum JobError {
    /// The lock could not be asked for.
    Lock(LockError),
    /// Something else.
    Other(fmt::Error),
}

impl From<LockError> for JobError {
    fn from(error: LockError) -> Self {
        Self::Lock(error)
    }
}

impl From<fmt::Error> for JobError {
    fn from(error: fmt::Error) -> Self {
        Self::Other(error)
    }
}

/// A type alias whose last segment says nothing.
pub type Report = Result<Option<u8>, JobError>;

/// `()`, written.
#[scheduler_lock(name = "unit", at_most = "1m")]
pub async fn unit() -> () {}

/// `Option`.
#[scheduler_lock(name = "option", at_most = "1m")]
pub async fn option() -> Option<u8> {
    Some(1)
}

/// `Result` of nothing, `?` and an early return.
#[scheduler_lock(name = "result", at_most = "1m")]
pub async fn result(stop: bool) -> Result<(), JobError> {
    if stop {
        return Ok(());
    }
    Err(fmt::Error)?;
    Ok(())
}

/// `Result` of an `Option`, through an alias.
#[scheduler_lock(name = "alias", at_most = "1m")]
pub async fn alias() -> Report {
    Ok(Some(1))
}

/// A boxed error, with `?` on several kinds.
#[scheduler_lock(name = "boxed_error", at_most = "1m")]
pub async fn boxed_error(text: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let number: u8 = text.parse()?;
    if number == 0 {
        return Err("zero".into());
    }
    Ok(())
}

/// `Outcome`.
#[scheduler_lock(name = "outcome", at_most = "1m")]
pub async fn outcome() -> Outcome<u8> {
    Outcome::Executed(1)
}

/// A borrowed result, with an elided lifetime.
#[scheduler_lock(name = "borrowed", at_most = "1m")]
pub async fn borrowed(text: &str) -> Option<&str> {
    text.split('-').next()
}
