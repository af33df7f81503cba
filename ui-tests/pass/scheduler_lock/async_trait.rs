//! `#[async_trait]` methods: provided by the trait, and implemented.

use async_trait::async_trait;
use shedlock::{LockError, scheduler_lock};

/// A trait with a locked method of its own.
#[async_trait]
pub trait Job: Send + Sync {
    /// Which.
    fn region(&self) -> &str;

    /// Implemented elsewhere.
    async fn run(&self, shard: u32) -> Result<Option<u32>, LockError>;

    /// Provided here.
    #[scheduler_lock(name = "provided", at_most = "1m")]
    async fn provided(&self) -> Option<usize> {
        tokio::task::yield_now().await;
        Some(self.region().len())
    }
}

/// A job.
#[derive(Debug)]
pub struct Nightly {
    region: String,
}

impl Nightly {
    /// A job.
    #[must_use]
    pub fn in_region(region: &str) -> Self {
        Self {
            region: region.to_owned(),
        }
    }
}

#[async_trait]
impl Job for Nightly {
    fn region(&self) -> &str {
        &self.region
    }

    #[scheduler_lock(name = "run-{self.region}-{shard}", at_most = "1m")]
    async fn run(&self, shard: u32) -> Result<Option<u32>, LockError> {
        if shard == 0 {
            return Ok(None);
        }
        tokio::task::yield_now().await;
        self.provided().await;
        Ok(Some(shard))
    }
}

/// A trait whose futures stay on their thread.
#[async_trait(?Send)]
pub trait LocalJob {
    /// Provided.
    #[scheduler_lock(name = "local-{text}", at_most = "1m")]
    async fn run(&mut self, mut text: String) {
        text.push('x');
        tokio::task::yield_now().await;
        drop(text);
    }
}
