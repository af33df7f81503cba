//! A limit on lines that would repeat themselves at every tick.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use once_cell::sync::Lazy;
use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(60);
/// With more names than this at fault, all start anew.
const MOST_NAMES: usize = 1_024;

static LAST: Lazy<Mutex<HashMap<String, (Instant, u64)>>> = Lazy::new(Mutex::default);

/// Whether a line is to be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pass {
    Through {
        /// How many were not, since the last that was.
        held_back: u64,
    },
    HeldBack,
}

impl Pass {
    pub(super) fn is_through(&self) -> bool {
        matches!(self, Self::Through { .. })
    }
}

/// Lets the first line of this kind about the lock `name` of a store through, then one a minute: two databases can have
/// a lock of one name, and fail at the same tick.
pub(super) fn pass(kind: &str, store: u64, name: &str) -> Pass {
    let line = format!("{kind} {store} {name}");
    let now = Instant::now();
    // Whole at every moment, so a panic elsewhere does not spoil it.
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((since, held_back)) = last.get_mut(&line)
        && now.saturating_duration_since(*since) < EVERY
    {
        *held_back += 1;
        return Pass::HeldBack;
    }
    if last.len() >= MOST_NAMES {
        last.clear();
    }
    let before = last.insert(line, (now, 0));
    Pass::Through {
        held_back: before.map_or(0, |(_, held_back)| held_back),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_line_passes_and_then_one_a_minute() {
        let passes = |held_back| Pass::Through { held_back };
        assert_eq!(pass("limit", 1, "a"), passes(0));
        assert_eq!(pass("limit", 1, "b"), passes(0));
        assert_eq!(pass("other", 1, "a"), passes(0));
        assert_eq!(pass("limit", 2, "a"), passes(0));
        assert_eq!(pass("limit", 1, "a"), Pass::HeldBack);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(pass("limit", 1, "a"), Pass::HeldBack);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(pass("limit", 1, "a"), passes(2));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(pass("limit", 1, "a"), passes(0));
    }
}
