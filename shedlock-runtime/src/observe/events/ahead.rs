//! Finds a position that lies in the future, as a node whose clock was far ahead leaves it: no node runs until then.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::seam::answer::Refusal;
use crate::seam::info::ProviderInfo;
use crate::values::config::LockConfiguration;
use crate::values::outcome::SkipReason;
use crate::values::position::WantedPosition;

/// Clocks of nodes and of stores may differ by this much.
const TOLERANCE: Duration = Duration::from_secs(60);

/// The slot or instant in the record, if the request was refused because of it and it lies in the future, and later than the one that the
/// request asks for: a job may ask for a future one on purpose.
pub(super) fn instant_ahead(
    config: &LockConfiguration,
    info: &ProviderInfo,
    refusal: &Refusal,
) -> Option<SystemTime> {
    let stored = refusal.position?.number;
    let rule = config.position_rule()?;
    let is_step = matches!(rule.wanted(), WantedPosition::Step { .. });
    if refusal.reason != SkipReason::AlreadyRan || is_step {
        return None;
    }
    let now = info.clock().utc().checked_add(TOLERANCE)?;
    let stored_at = UNIX_EPOCH.checked_add(Duration::from_millis(stored))?;
    (stored_at > now && stored > rule.number(now)).then_some(stored_at)
}
