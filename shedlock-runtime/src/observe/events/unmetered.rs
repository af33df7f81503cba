//! Stands in for the metrics in a build without them.

use super::Subject;
use crate::observe::event::LockEvent;

pub(super) fn any() -> bool {
    false
}

pub(super) fn record(_event: &LockEvent) {}

/// A lock that nobody counts.
pub(crate) struct Holding;

impl Holding {
    pub(crate) fn begin(_subject: &Subject) -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "with metrics it counts")]
    pub(crate) fn end(&self) {}
}
