//! Whether what a body returned is a failure, by its type: aliases of `Result` are `Result`s too.

/// What a call returned, to be asked whether it is a failure: a `Result` answers for itself, by [`IsResult`]; what is none, one
/// reference later, by [`IsNoResult`].
#[derive(Debug)]
pub struct Returned<'a, T>(pub &'a T);

/// See [`Returned`].
pub trait IsResult {
    /// Whether it is an `Err`.
    fn has_failed(&self) -> bool;
}

impl<T, E> IsResult for Returned<'_, Result<T, E>> {
    fn has_failed(&self) -> bool {
        self.0.is_err()
    }
}

/// See [`Returned`].
pub trait IsNoResult {
    /// Never.
    fn has_failed(&self) -> bool {
        false
    }
}

impl<T> IsNoResult for &Returned<'_, T> {}
