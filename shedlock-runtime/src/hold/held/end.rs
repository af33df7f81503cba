//! The end of a lease: what brings it about, and how tasks learn of it.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::LockState;
use crate::hold::state::Transition;
use crate::observe::event::LossReason;
use crate::observe::events::{self, HeldLock as _};
use crate::values::clock::BootInstant;

const SHORTEST_NAP: Duration = Duration::from_secs(1);

impl LockState {
    /// Moves the deadline to `end` if `end` is earlier, and wakes the tasks that wait for the deadline.
    pub(super) fn shorten(&self, end: BootInstant) {
        let end = end.as_nanos();
        if self.deadline.fetch_min(end, Ordering::AcqRel) > end {
            self.lost_signal.notify_waiters();
            self.gate.wake();
        }
    }

    /// Records the loss of the lock. The first loss is reported as an event.
    pub(crate) fn lose(&self, reason: LossReason, why: &str) {
        if self.announce_end(self.state.lose(reason)) {
            self.gate.wake();
            events::lost(self, reason, why);
        }
    }

    /// Records that the release was sent to the store. The gate is not woken, because a lock is released after its body has ended.
    pub(super) fn note_release(&self) {
        self.announce_end(self.state.release());
    }

    /// If `transition` has ended the lease, wakes the tasks that wait for the end of the lease.
    pub(super) fn announce_end(&self, transition: Transition) -> bool {
        let ended = transition.ended_lease();
        if ended {
            self.holding.end();
            self.lost_signal.notify_waiters();
        }
        ended
    }

    /// How long a task may sleep before it looks at the clock of the lease again. Timers stand still while the system is suspended, and that
    /// clock does not.
    pub(crate) fn longest_nap(&self) -> Duration {
        (self.at_most / 4).max(SHORTEST_NAP)
    }

    /// Waits until the lease has ended, because the deadline has passed or because the store said that the lock was taken away.
    pub(crate) async fn lost(&self) {
        loop {
            let mut signal = pin!(self.lost_signal.notified());
            // Registered before the lease is checked, so that a loss in between is not missed.
            signal.as_mut().enable();
            let Some(left) = self.remaining() else { return };
            let _ = tokio::time::timeout(left.min(self.longest_nap()), signal).await;
        }
    }
}
