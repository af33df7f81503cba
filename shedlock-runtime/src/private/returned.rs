//! Which error a body returned, if any, by the type of what it returned: aliases of `Result` are `Result`s too.

use std::fmt::Display;

/// What a call returned, to be asked for its error. A `Result` whose error can be shown answers by [`IsShownResult`], another `Result` by
/// [`IsResult`], and what is no `Result` by [`IsNoResult`]: the compiler tries them in this order for `(&&Returned(value)).error()`.
#[derive(Debug)]
pub struct Returned<'v, T>(pub &'v T);

/// See [`Returned`].
pub trait IsShownResult<'v> {
    /// The error, if it is an `Err`.
    fn error(&self) -> Option<&'v dyn Display>;
}

impl<'v, T, E: Display> IsShownResult<'v> for &Returned<'v, Result<T, E>> {
    fn error(&self) -> Option<&'v dyn Display> {
        self.0.as_ref().err().map(|error| error as _)
    }
}

/// See [`Returned`].
pub trait IsResult<'v> {
    /// An empty text for an error that has none, if it is an `Err`.
    fn error(&self) -> Option<&'v dyn Display>;
}

impl<'v, T, E> IsResult<'v> for &&Returned<'v, Result<T, E>> {
    fn error(&self) -> Option<&'v dyn Display> {
        self.0.is_err().then_some(&"" as _)
    }
}

/// See [`Returned`].
pub trait IsNoResult<'v> {
    /// None.
    fn error(&self) -> Option<&'v dyn Display> {
        None
    }
}

impl<'v, T> IsNoResult<'v> for Returned<'v, T> {}
