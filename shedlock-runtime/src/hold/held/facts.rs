//! The facts about a held lock that events report.

use std::sync::Arc;
use std::time::Duration;

use super::LockState;
use crate::observe::events::{HeldLock, Subject};
use crate::values::node;
use crate::values::options::OnLost;
use crate::values::position::Position;

impl HeldLock for LockState {
    fn subject(&self) -> &Subject {
        &self.subject
    }

    fn node(&self) -> Arc<str> {
        let node = self.lease().owner().map(|owner| owner.node().into());
        node.unwrap_or_else(node::host_node_name)
    }

    fn fencing_token(&self) -> Option<u64> {
        self.lease().fencing_token()
    }

    fn remaining(&self) -> Option<Duration> {
        let left = self.taken_for();
        (!self.snapshot().has_ended() && !left.is_zero()).then_some(left)
    }

    fn held_for(&self) -> Duration {
        self.now().saturating_since(self.lease().acquired())
    }

    fn position(&self) -> Option<Position> {
        if self.wanted.is_some() && self.claims_kept_for.is_none() {
            self.position_of_run()
        } else {
            None
        }
    }

    fn on_lost(&self) -> Option<OnLost> {
        self.snapshot().body()
    }
}
