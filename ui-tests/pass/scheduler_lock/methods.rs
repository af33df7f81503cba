//! Methods with every kind of receiver.

use shedlock::scheduler_lock;
use std::sync::Arc;

/// A job with state.
#[derive(Debug, Default, PartialEq)]
pub struct Job {
    region: String,
    runs: u32,
}

impl Job {
    fn count(&mut self) {
        self.runs += 1;
    }

    /// A job that has not run.
    #[must_use]
    pub fn in_region(region: &str) -> Self {
        Self {
            region: region.to_owned(),
            runs: 1,
        }
    }

    /// No receiver.
    #[scheduler_lock(name = "associated", at_most = "1m")]
    pub async fn associated() -> Option<Self> {
        Some(Self::default())
    }

    /// `&self`, with a field in the name.
    #[scheduler_lock(name = "by-reference-{self.region}", at_most = "1m")]
    pub async fn by_reference(&self) -> Option<&str> {
        tokio::task::yield_now().await;
        Some(&self.region)
    }

    /// `&mut self`.
    #[scheduler_lock(name = "by-mut-{self.region}", at_most = "1m")]
    pub async fn by_mut(&mut self) -> Option<u32> {
        self.runs += 1;
        tokio::task::yield_now().await;
        self.count();
        Some(self.runs)
    }

    /// `self`.
    #[scheduler_lock(name = "by-value-{self.region}", at_most = "1m")]
    pub async fn by_value(self) -> Option<String> {
        Some(self.region)
    }

    /// `mut self`.
    #[scheduler_lock(name = "by-mut-value", at_most = "1m")]
    pub async fn by_mut_value(mut self) -> Option<Self> {
        self.runs += 1;
        Some(self)
    }

    /// `self: Arc<Self>`.
    #[scheduler_lock(name = "by-arc-{self.region}", at_most = "1m")]
    pub async fn by_arc(self: Arc<Self>) -> Option<u32> {
        tokio::task::yield_now().await;
        Some(self.runs)
    }

    /// `self: &Arc<Self>`.
    #[scheduler_lock(name = "by-arc-reference", at_most = "1m")]
    pub async fn by_arc_reference(self: &Arc<Self>) -> Option<u32> {
        Some(self.runs)
    }
}
