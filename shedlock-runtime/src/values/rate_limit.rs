//! A limit on what would otherwise repeat at every tick of a scheduler: the first time, and then once a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const PERIOD: Duration = Duration::from_secs(60);
/// How many keys are remembered. Beyond this number all are forgotten, so that the memory in use is bounded.
const MAX_KEYS: usize = 1_024;

/// For each key: when it was last let through, and how often it was suppressed since.
#[derive(Debug, Default)]
pub(crate) struct RateLimiter(Mutex<HashMap<String, (Instant, u64)>>);

/// Whether something is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RateLimit {
    Emit {
        /// How often it was suppressed since the last time that it was done.
        suppressed: u64,
    },
    Suppress,
}

impl RateLimit {
    /// Whether it is to be done.
    pub(crate) fn emits(&self) -> bool {
        matches!(self, Self::Emit { .. })
    }
}

impl RateLimiter {
    /// Counts `key`. Its first time is let through, and then one a minute.
    pub(crate) fn check(&self, key: String) -> RateLimit {
        let now = Instant::now();
        // The map is still usable after a panic under this mutex.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, suppressed)) = last.get_mut(&key)
            && now.saturating_duration_since(*since) < PERIOD
        {
            *suppressed += 1;
            return RateLimit::Suppress;
        }
        if last.len() >= MAX_KEYS {
            last.clear();
        }
        let before = last.insert(key, (now, 0));
        RateLimit::Emit {
            suppressed: before.map_or(0, |(_, suppressed)| suppressed),
        }
    }
}
