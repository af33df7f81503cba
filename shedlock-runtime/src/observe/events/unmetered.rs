//! Replaces the module `meters` in a build without the feature `metrics`.

use super::Subject;
use crate::observe::event::LockEvent;

pub(super) fn any() -> bool {
    false
}

pub(super) fn record(_event: &LockEvent) {}

/// Counts nothing.
pub(crate) struct Holding;

impl Holding {
    pub(crate) fn begin(_subject: &Subject) -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "with metrics it counts")]
    pub(crate) fn end(&self) {}
}
