//! A limit on log lines that would otherwise repeat at every tick of a scheduler.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use once_cell::sync::Lazy;
use tokio::time::Instant;

const PERIOD: Duration = Duration::from_secs(60);
/// How many kinds of lines are remembered. Beyond this number all are forgotten, so that the memory in use is bounded.
const MAX_LINES: usize = 1_024;

/// For each line: when it was last written, and how often it was suppressed since.
static LAST: Lazy<Mutex<HashMap<String, (Instant, u64)>>> = Lazy::new(Mutex::default);

/// Whether a line is to be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RateLimit {
    Emit {
        /// How many lines were suppressed since the last one that was written.
        suppressed: u64,
    },
    Suppress,
}

impl RateLimit {
    /// Whether the line is to be written.
    pub(super) fn emits(&self) -> bool {
        matches!(self, Self::Emit { .. })
    }
}

/// Counts one line of this kind about the lock `name`. The first such line is written, then one a minute.
///
/// Each provider's lines are counted apart: two databases can have a lock of the same name, and fail at the same tick.
pub(super) fn check(kind: &str, provider_id: u64, name: &str) -> RateLimit {
    let line = format!("{kind} {provider_id} {name}");
    let now = Instant::now();
    // The map is still usable after a panic under this mutex.
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((since, suppressed)) = last.get_mut(&line)
        && now.saturating_duration_since(*since) < PERIOD
    {
        *suppressed += 1;
        return RateLimit::Suppress;
    }
    if last.len() >= MAX_LINES {
        last.clear();
    }
    let before = last.insert(line, (now, 0));
    RateLimit::Emit {
        suppressed: before.map_or(0, |(_, suppressed)| suppressed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_line_is_written_and_then_one_a_minute() {
        let emit = |suppressed| RateLimit::Emit { suppressed };
        assert_eq!(check("limit", 1, "a"), emit(0));
        assert_eq!(check("limit", 1, "b"), emit(0));
        assert_eq!(check("other", 1, "a"), emit(0));
        assert_eq!(check("limit", 2, "a"), emit(0));
        assert_eq!(check("limit", 1, "a"), RateLimit::Suppress);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(check("limit", 1, "a"), RateLimit::Suppress);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(check("limit", 1, "a"), emit(2));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(check("limit", 1, "a"), emit(0));
    }
}
