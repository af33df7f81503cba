//! What the handlers of all requests share.

use std::sync::Arc;
use std::time::Duration;

use shedlock_runtime::LockAdmin;
use tokio::sync::{Semaphore, watch};

use super::operators::Operators;
use super::reader::Reader;
use super::skips::Skips;

/// What the handlers of all requests share.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) store: Arc<dyn LockAdmin>,
    pub(super) title: String,
    pub(super) refresh: Duration,
    pub(super) operators: Operators,
    /// The hosts for which the page answers, in lower case; empty if for all.
    pub(super) hosts: Vec<String>,
    pub(super) reader: Reader,
    pub(super) skips: Arc<Skips>,
    pub(super) streams: Arc<Semaphore>,
    /// Counts the calls of [`Dashboard::end_streams`](crate::Dashboard::end_streams).
    pub(super) ended: watch::Sender<u64>,
}
