//! What a locked function returns when its body did not run.

use crate::observe::events;
use crate::values::error::{ErrorKind, LockError, Operation};
use crate::values::outcome::{Outcome, SkipReason};

/// A return type that can say "this call was skipped".
#[diagnostic::on_unimplemented(
    message = "a skipped call has no value of type `{Self}` to return",
    label = "no value for a skipped call",
    note = "set `on_skip = ..` to the value that a skipped call returns",
    note = "or return `()`, `Option<T>`, `Outcome<T>`, or a `Result` of one of them"
)]
pub trait SkipValue: Sized {
    /// The value of a call that was skipped because of `reason`.
    fn skip_value(reason: &SkipReason) -> Self;
}

impl SkipValue for () {
    fn skip_value(_reason: &SkipReason) -> Self {}
}

impl<T> SkipValue for Option<T> {
    fn skip_value(_reason: &SkipReason) -> Self {
        None
    }
}

impl<T> SkipValue for Outcome<T> {
    fn skip_value(reason: &SkipReason) -> Self {
        Self::Skipped(*reason)
    }
}

impl<T: SkipValue, E> SkipValue for Result<T, E> {
    fn skip_value(reason: &SkipReason) -> Self {
        Ok(T::skip_value(reason))
    }
}

/// A return type that has a value for "the store failed". Types that cannot carry an error have it logged.
#[diagnostic::on_unimplemented(
    message = "a failed lock has no value of type `{Self}` to return",
    label = "no value for a store error",
    note = "set `on_error = ..` to the value that a call returns when the store fails",
    note = "or return `()`, `Option<T>`, `Outcome<T>`, or a `Result<_, E>` where `E: From<shedlock::LockError>`"
)]
pub trait ErrorValue: Sized {
    /// The value of a call that did not run because of `error`.
    ///
    /// # Panics
    ///
    /// Where the type has no place for an error and the program is at fault: no provider, or no `at_most`.
    fn error_value(error: LockError) -> Self;
}

// Without this attribute the compiler's message is about `From` alone, and never names `on_error`.
#[diagnostic::do_not_recommend]
impl<T, E: From<LockError>> ErrorValue for Result<T, E> {
    fn error_value(error: LockError) -> Self {
        Err(error.into())
    }
}

impl ErrorValue for () {
    fn error_value(error: LockError) -> Self {
        report(&error);
    }
}

impl<T> ErrorValue for Option<T> {
    fn error_value(error: LockError) -> Self {
        report(&error);
        None
    }
}

impl<T> ErrorValue for Outcome<T> {
    fn error_value(error: LockError) -> Self {
        report(&error);
        Self::Skipped(SkipReason::from_error(&error))
    }
}

/// Logs an error that the return type cannot carry.
///
/// # Panics
///
/// If the program is at fault rather than the store: no scheduler would ever notice a line in the log.
pub fn report(error: &LockError) {
    assert!(
        !matches!(
            error.kind(),
            ErrorKind::NoProvider | ErrorKind::Configuration
        ),
        "{error}"
    );
    // An error of a body that was cancelled is not logged: the loss or the shutdown was reported as an event.
    if error.operation() != Some(Operation::Run) {
        events::failed(error);
    }
}
