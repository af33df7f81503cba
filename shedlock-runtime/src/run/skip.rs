//! What a locked function returns when the body of the function did not run.

use crate::observe::events;
use crate::values::error::{ErrorKind, LockError, Operation};
use crate::values::outcome::{Outcome, SkipReason};

/// A return type that has a value for "this call was skipped".
///
/// Implement `SkipValue` for a return type of your own, so that locked functions with this type need no `on_skip`.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{SkipReason, SkipValue};
///
/// #[derive(Debug, PartialEq)]
/// enum Sync {
///     Copied(usize),
///     NotNow(SkipReason),
/// }
///
/// impl SkipValue for Sync {
///     fn skip_value(reason: &SkipReason) -> Self {
///         Self::NotNow(*reason)
///     }
/// }
///
/// assert_eq!(Sync::skip_value(&SkipReason::Held), Sync::NotNow(SkipReason::Held));
/// // The types that have one already: `()`, `Option`, `Outcome`, and a `Result` of one of them.
/// assert_eq!(Option::<u32>::skip_value(&SkipReason::Held), None);
/// # let _copied = Sync::Copied(1);
/// ```
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

/// A return type that has a value for "the store failed". If the type cannot carry the error, the error is logged.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{ErrorKind, ErrorValue, LockError};
///
/// #[derive(Debug, PartialEq)]
/// enum Sync {
///     Copied(usize),
///     StoreFailed(ErrorKind),
/// }
///
/// impl ErrorValue for Sync {
///     fn error_value(error: LockError) -> Self {
///         Self::StoreFailed(error.kind())
///     }
/// }
///
/// let error = LockError::new(ErrorKind::Unavailable, "the connection was refused");
/// assert_eq!(Sync::error_value(error), Sync::StoreFailed(ErrorKind::Unavailable));
/// # let _copied = Sync::Copied(1);
/// ```
#[diagnostic::on_unimplemented(
    message = "a failed lock has no value of type `{Self}` to return",
    label = "no value for a store error",
    note = "set `on_error = ..` to the value that a call returns when the store fails",
    note = "or return `()`, `Option<T>`, `Outcome<T>`, or a `Result<_, E>` where `E: From<shedlock::LockError>`"
)]
pub trait ErrorValue: Sized {
    /// The value of a call whose body did not run, or was cancelled, because of `error`.
    ///
    /// # Panics
    ///
    /// If the type cannot carry an error and the error is a mistake in the program: no provider is registered.
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
/// If no provider is registered: nobody might notice a log line about such a mistake in the program. A configuration may be wrong because
/// of a value in a message or a setting of the database, which is no reason to end a consumer's task.
pub fn report(error: &LockError) {
    assert!(error.kind() != ErrorKind::NoProvider, "{error}");
    // The error of a cancelled body is not logged: an event has already reported the loss or the shutdown.
    if error.operation() != Some(Operation::Run) {
        events::failed(error);
    }
}
