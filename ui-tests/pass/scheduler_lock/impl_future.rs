//! Plain functions that return a future: all of their block runs under the lock.

use futures_util::future::BoxFuture;
use shedlock::{LockError, scheduler_lock};
use std::pin::Pin;

/// `impl Future`.
#[scheduler_lock(name = "opaque-{count}", at_most = "1m")]
pub fn opaque(count: u32) -> impl Future<Output = Option<u32>> {
    let doubled = count * 2;
    async move { Some(doubled) }
}

/// `impl Future` with further bounds, and a future of nothing.
#[scheduler_lock(name = "sent", at_most = "1m")]
pub fn sent() -> impl Future<Output = ()> + Send + 'static {
    tokio::task::yield_now()
}

/// An early return of one future of two.
#[scheduler_lock(name = "early", at_most = "1m")]
pub fn early(ready: bool) -> Pin<Box<dyn Future<Output = Result<(), LockError>> + Send>> {
    if ready {
        return Box::pin(std::future::ready(Ok(())));
    }
    Box::pin(async {
        tokio::task::yield_now().await;
        Ok(())
    })
}

/// A borrowing box, with the alias of `futures`.
#[scheduler_lock(name = "{text}", at_most = "1m")]
pub fn aliased(text: &str) -> BoxFuture<'_, Option<usize>> {
    Box::pin(async move { Some(text.len()) })
}

/// A method, with `?` inside.
#[derive(Debug)]
pub struct Job(String);

impl Job {
    /// Borrows its receiver.
    #[scheduler_lock(name = "{self.0}", at_most = "1m")]
    pub fn run(
        &self,
    ) -> impl Future<Output = Result<(), Box<dyn std::error::Error + Send + Sync>>> {
        async move {
            self.0.parse::<u32>()?;
            Ok(())
        }
    }
}
