//! The facts about a held lock that events report.

use std::sync::Arc;
use std::time::Duration;

use super::Subject;
use crate::values::options::OnLost;
use crate::values::position::Position;

/// The facts about a held lock that a log line, a metric or a listener gets. The layer above has the state of the lock, and implements this
/// trait. A fact that needs a reading of a clock is requested only if the event is logged, counted or passed to a listener.
pub(crate) trait HeldLock {
    /// Which lock it is, and in which store.
    fn subject(&self) -> &Subject;

    /// The name of this node in the store.
    fn node(&self) -> Arc<str>;

    fn fencing_token(&self) -> Option<u64>;

    /// How long the lease lasts from now; `None` if it has ended.
    fn remaining(&self) -> Option<Duration>;

    /// How long ago the lock was acquired.
    fn held_for(&self) -> Duration;

    /// The slot, instant or step of the run; `None` if the lock asks for none, or only for one run of a text.
    fn position(&self) -> Option<Position>;

    /// What happens to the body if the lock is lost; `None` if no body runs under the lock.
    fn on_lost(&self) -> Option<OnLost>;
}
