//! Generics, lifetimes, const parameters, where clauses and `impl Trait` arguments.

use shedlock::scheduler_lock;
use std::fmt::{Debug, Display};

/// A type parameter with bounds in place.
#[scheduler_lock(name = "typed-{value}", at_most = "1m")]
pub async fn typed<T: Display + Clone + Send>(value: T) -> Option<T> {
    tokio::task::yield_now().await;
    Some(value)
}

/// A where clause.
#[scheduler_lock(name = "bounded", at_most = "1m")]
pub async fn bounded<T, E>(value: Result<T, E>) -> Option<T>
where
    T: Send,
    E: Debug + Send,
{
    tokio::task::yield_now().await;
    value.ok()
}

/// Named lifetimes.
#[scheduler_lock(name = "{first}", at_most = "1m")]
pub async fn longer<'a, 'b: 'a>(first: &'a str, second: &'b str) -> Option<(&'a str, &'b str)> {
    tokio::task::yield_now().await;
    Some((
        if first.len() > second.len() {
            first
        } else {
            second
        },
        second,
    ))
}

/// A const parameter in a type.
#[scheduler_lock(name = "array", at_most = "1m")]
pub async fn array<const N: usize>(values: [u8; N]) -> Option<usize> {
    Some(values.len() + N)
}

/// `impl Trait` arguments.
#[scheduler_lock(name = "impl-{label}", at_most = "1m")]
pub async fn implemented(
    label: impl Display + Send,
    work: impl Future<Output = u32> + Send,
) -> Option<u32> {
    let _label = label;
    Some(work.await)
}

/// A generic type with a generic method.
#[derive(Debug)]
pub struct Store<T>(T);

impl<T: Clone + Send + Sync> Store<T> {
    /// Uses both parameters.
    #[scheduler_lock(name = "store", at_most = "1m")]
    pub async fn copy<U: From<T>>(&self) -> Option<U> {
        tokio::task::yield_now().await;
        Some(self.0.clone().into())
    }
}
