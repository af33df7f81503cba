//! What an operator has done, told to the log, the metrics and the listeners.

use std::time::SystemTime;

use crate::observe::event::EventKind;
use crate::observe::events::{self, Subject};
use crate::seam::info::ProviderInfo;
use crate::values::name::LockName;

/// What an operator has done to a lock; implementors of [`LockAdmin`](crate::LockAdmin) tell it when it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Intervention<'a> {
    /// Paused it.
    Paused {
        /// When the pause ends.
        until: SystemTime,
        /// Why.
        reason: &'a str,
    },
    /// Ended a pause.
    Resumed,
    /// Taken it from its holder, for this reason.
    ForceReleased(&'a str),
}

impl Intervention<'_> {
    /// Writes an INFO line and tells the listeners: interventions are few, and somebody will ask who did it.
    pub fn tell(self, info: &ProviderInfo, lock: &LockName) {
        let subject = Subject {
            name: lock.clone(),
            template: None,
            provider: info.name(),
            store: info.id(),
        };
        let kind = match self {
            Self::Paused { until, reason } => EventKind::Paused {
                until,
                reason: reason.into(),
            },
            Self::Resumed => EventKind::Resumed,
            Self::ForceReleased(reason) => EventKind::ForceReleased {
                reason: reason.into(),
            },
        };
        events::intervened(&subject, kind);
    }
}
