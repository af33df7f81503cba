//! A limit on log lines that would otherwise repeat at every tick of a scheduler.

use once_cell::sync::Lazy;

pub(super) use crate::values::rate_limit::RateLimit;
use crate::values::rate_limit::RateLimiter;

static LINES: Lazy<RateLimiter> = Lazy::new(RateLimiter::default);

/// Counts one line of this kind about the lock `name`. The first such line is written, then one a minute.
///
/// Each provider's lines are counted apart: two databases can have a lock of the same name, and fail at the same tick.
pub(super) fn check(kind: &str, provider_id: u64, name: &str) -> RateLimit {
    LINES.check(format!("{kind} {provider_id} {name}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
