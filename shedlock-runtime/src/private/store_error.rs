//! What a call returns whose store failed, for a function that has an `on_skip` and no `on_error`: the error, if the type has a place for it.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use crate::run::skip::ErrorValue;
use crate::values::error::LockError;

/// Stands for the type of what a call returns, to be asked for the value of a store error. A `Result` by any name answers by
/// [`IsResultType`], another type that has such a value by [`IsErrorValue`], and any other by [`IsNoErrorValue`]: the compiler tries them in
/// this order for `(&&AnswerType).__shedlock_store_error(error)`.
pub struct AnswerType<R>(PhantomData<fn() -> R>);

impl<R> fmt::Debug for AnswerType<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnswerType")
    }
}

/// The type of what `body` returns.
pub const fn answer_type<F: Future>(_body: &Option<F>) -> AnswerType<F::Output> {
    AnswerType(PhantomData)
}

/// See [`AnswerType`].
pub trait IsResultType {
    /// The type of what the call returns.
    type Answer;

    /// An `Err`. That the error has a place there is asked for by the method, not the trait: otherwise such a type would be taken for one
    /// without a place for errors, and a store error for a skip.
    fn __shedlock_store_error(&self, error: LockError) -> Result<Self::Answer, LockError>
    where
        Self::Answer: ErrorValue;
}

impl<T, E> IsResultType for &AnswerType<Result<T, E>> {
    type Answer = Result<T, E>;

    fn __shedlock_store_error(&self, error: LockError) -> Result<Self::Answer, LockError>
    where
        Self::Answer: ErrorValue,
    {
        Ok(ErrorValue::error_value(error))
    }
}

/// See [`AnswerType`].
pub trait IsErrorValue<R> {
    /// The value that the type has for the error.
    fn __shedlock_store_error(&self, error: LockError) -> Result<R, LockError>;
}

impl<R: ErrorValue> IsErrorValue<R> for &&AnswerType<R> {
    fn __shedlock_store_error(&self, error: LockError) -> Result<R, LockError> {
        Ok(R::error_value(error))
    }
}

/// See [`AnswerType`].
pub trait IsNoErrorValue<R> {
    /// No value.
    ///
    /// # Errors
    ///
    /// Always `error` itself: the call returns the value of a skip.
    fn __shedlock_store_error(&self, error: LockError) -> Result<R, LockError>;
}

impl<R> IsNoErrorValue<R> for AnswerType<R> {
    fn __shedlock_store_error(&self, error: LockError) -> Result<R, LockError> {
        Err(error)
    }
}
