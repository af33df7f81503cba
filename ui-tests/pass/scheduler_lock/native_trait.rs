//! `async fn` in traits, without another attribute.

use shedlock::scheduler_lock;

/// A trait with a provided method.
#[expect(async_fn_in_trait, reason = "the shape under test")]
pub trait Job {
    /// Implemented elsewhere.
    async fn run(&self) -> Option<u32>;

    /// Provided here.
    #[scheduler_lock(name = "provided", at_most = "1m")]
    async fn provided(&self) -> Option<u32> {
        self.run().await
    }
}

/// A job.
#[derive(Debug)]
pub struct Nightly;

impl Job for Nightly {
    #[scheduler_lock(name = "run", at_most = "1m")]
    async fn run(&self) -> Option<u32> {
        tokio::task::yield_now().await;
        Some(1)
    }
}
