//! Which error a body returned, if any, by the type of what it returned: aliases of `Result` are `Result`s too, and so are a `Result` in an
//! `Option` and one in an `Outcome`.

use std::fmt::Display;

use crate::values::outcome::Outcome;

/// What a call returned, to be asked for its error. A `Result` whose error can be shown answers by [`IsShownResult`], another `Result` by
/// [`IsResult`], and what is no `Result` by [`IsNoResult`]: the compiler tries them in this order for `(&&Returned(value)).__shedlock_error()`.
#[derive(Debug)]
pub struct Returned<'v, T>(pub &'v T);

/// See [`Returned`].
pub trait IsShownResult<'v> {
    /// The error, if it is an `Err`.
    fn __shedlock_error(&self) -> Option<&'v dyn Display>;
}

/// The error of a `Result`, or of one inside an `Option` or an `Outcome`.
fn shown<T, E: Display>(result: Option<&Result<T, E>>) -> Option<&dyn Display> {
    Some(result?.as_ref().err()? as _)
}

impl<'v, T, E: Display> IsShownResult<'v> for &Returned<'v, Result<T, E>> {
    fn __shedlock_error(&self) -> Option<&'v dyn Display> {
        shown(Some(self.0))
    }
}

impl<'v, T, E: Display> IsShownResult<'v> for &Returned<'v, Option<Result<T, E>>> {
    fn __shedlock_error(&self) -> Option<&'v dyn Display> {
        shown(self.0.as_ref())
    }
}

impl<'v, T, E: Display> IsShownResult<'v> for &Returned<'v, Outcome<Result<T, E>>> {
    fn __shedlock_error(&self) -> Option<&'v dyn Display> {
        shown(executed(self.0))
    }
}

fn executed<T>(outcome: &Outcome<T>) -> Option<&T> {
    match outcome {
        Outcome::Executed(value) => Some(value),
        Outcome::Skipped(_) => None,
    }
}

/// See [`Returned`].
pub trait IsResult<'v> {
    /// An empty text for an error that has none, if it is an `Err`.
    fn __shedlock_error(&self) -> Option<&'v dyn Display>;
}

fn mute<T, E>(result: Option<&Result<T, E>>) -> Option<&'static dyn Display> {
    result.is_some_and(Result::is_err).then_some(&"" as _)
}

impl<'v, T, E> IsResult<'v> for &&Returned<'v, Result<T, E>> {
    fn __shedlock_error(&self) -> Option<&'v dyn Display> {
        mute(Some(self.0))
    }
}

impl<'v, T, E> IsResult<'v> for &&Returned<'v, Option<Result<T, E>>> {
    fn __shedlock_error(&self) -> Option<&'v dyn Display> {
        mute(self.0.as_ref())
    }
}

impl<'v, T, E> IsResult<'v> for &&Returned<'v, Outcome<Result<T, E>>> {
    fn __shedlock_error(&self) -> Option<&'v dyn Display> {
        mute(executed(self.0))
    }
}

/// See [`Returned`].
pub trait IsNoResult<'v> {
    /// None.
    fn __shedlock_error(&self) -> Option<&'v dyn Display> {
        None
    }
}

impl<'v, T> IsNoResult<'v> for Returned<'v, T> {}
