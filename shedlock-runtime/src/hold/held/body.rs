//! What is known of the body that runs under a held lock.

use std::sync::atomic::Ordering;

use super::LockState;
use crate::values::options::OnLost;

impl LockState {
    /// Whether a body runs under this lock, so that it must not be given back from elsewhere.
    pub(crate) fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Acquire)
    }

    /// Notes that a body begins to run, and what becomes of it if the lock is lost.
    pub(crate) fn begin(&self, on_lost: OnLost) {
        self.cancels
            .store(on_lost == OnLost::Cancel, Ordering::Release);
        self.set_running(true);
    }

    pub(crate) fn set_running(&self, is_running: bool) {
        self.is_running.store(is_running, Ordering::Release);
    }
}
