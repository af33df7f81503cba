//! What events tell of a held lock.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::LockState;
use crate::observe::events::{HeldLock, Subject};
use crate::values::options::OnLost;
use crate::values::owner;

impl LockState {
    pub(crate) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// This node, as the store knows it.
    pub(crate) fn node(&self) -> Arc<str> {
        let node = self.lease().owner().map(|owner| owner.node().into());
        node.unwrap_or_else(owner::host_node_name)
    }

    pub(crate) fn fencing_token(&self) -> Option<u64> {
        self.lease().fencing_token()
    }

    pub(crate) fn remaining(&self) -> Option<Duration> {
        let left = self.taken_for();
        (!self.has_ended() && !left.is_zero()).then_some(left)
    }
}

impl HeldLock for LockState {
    fn subject(&self) -> &Subject {
        self.subject()
    }

    fn node(&self) -> Arc<str> {
        self.node()
    }

    fn fencing_token(&self) -> Option<u64> {
        self.fencing_token()
    }

    fn remaining(&self) -> Option<Duration> {
        self.remaining()
    }

    fn held_for(&self) -> Duration {
        self.now().saturating_since(self.lease().acquired())
    }

    fn on_lost(&self) -> Option<OnLost> {
        let on_lost = if self.cancels.load(Ordering::Acquire) {
            OnLost::Cancel
        } else {
            OnLost::Notify
        };
        self.is_running().then_some(on_lost)
    }
}
