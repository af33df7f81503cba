//! Positions, on which the script that acquires a lock decides: what the script is told, and what its answers mean.

use std::time::Duration;

use shedlock_runtime::{ErrorKind, LockError, Position, PositionRule, SkipReason, WantedPosition};

/// How long the fence of a lock stays in the store after the end of the lease for which the fence was written.
const FENCE_STAYS: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Scripts count in floating-point numbers: the number after this one is not exact.
const GREATEST: u64 = (1 << 53) - 1;

/// How long the fence stays after the lease of a request with this rule. Any request for the slot that the run begins comes within one
/// period. The script keeps the fence of an instant in the future for longer, and the fence of a chain without an end.
pub(crate) fn fence_stays(rule: Option<PositionRule>) -> Duration {
    match rule.map(|rule| rule.wanted()) {
        Some(WantedPosition::Slot { period }) => FENCE_STAYS + Duration::from_millis(period),
        _ => FENCE_STAYS,
    }
}

/// The arguments of the script that tell the position.
///
/// # Errors
///
/// [`ErrorKind::Unsupported`] if the number is too great for a script.
pub(crate) fn arguments(rule: PositionRule) -> Result<[String; 3], LockError> {
    let (kind, number) = match rule.wanted() {
        WantedPosition::Slot { period } => ("slot", period),
        WantedPosition::Instant { number } => ("instant", number),
        WantedPosition::Step { number } => ("step", number),
    };
    if number > GREATEST {
        let problem =
            format!("the number of the {kind} is {number}, and Redis counts to {GREATEST}");
        return Err(LockError::new(ErrorKind::Unsupported, problem)
            .with_remedy("count the steps of a chain from one"));
    }
    let most = rule.attempts().unwrap_or(0);
    Ok([kind.to_owned(), number.to_string(), most.to_string()])
}

/// The position in the script's answer, which is empty or has the three fields.
pub(crate) fn stored(fields: &[u64]) -> Option<Position> {
    let [number, done, tries] = fields else {
        return None;
    };
    Some(Position {
        number: *number,
        is_done: *done != 0,
        tries: u32::try_from(*tries).unwrap_or(u32::MAX),
    })
}

/// Why the position does not let the run begin; `None` for a state that is about something else.
pub(crate) fn refusal(state: u8) -> Option<SkipReason> {
    match state {
        3 => Some(SkipReason::AlreadyRan),
        4 => Some(SkipReason::Gap),
        5 => Some(SkipReason::Exhausted),
        _ => None,
    }
}
