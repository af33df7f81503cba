//! What events tell of a held lock.

use std::sync::Arc;
use std::time::Duration;

use super::Subject;
use crate::values::options::OnLost;

/// The facts about a held lock that a log line, a metric or a listener gets. The state of the lock belongs to the layer
/// above, which implements this. Facts that read a clock are asked for only if somebody hears of the event.
pub(crate) trait HeldLock {
    /// Which lock it is, and in which store.
    fn subject(&self) -> &Subject;

    /// This node, as the store knows it.
    fn node(&self) -> Arc<str>;

    fn fencing_token(&self) -> Option<u64>;

    /// How long the lease lasts from now; `None` if it has ended.
    fn remaining(&self) -> Option<Duration>;

    /// How long ago the lock was acquired.
    fn held_for(&self) -> Duration;

    /// What becomes of the body that runs under the lock when the lock is lost; `None` if no body runs.
    fn on_lost(&self) -> Option<OnLost>;
}
