//! How many seconds the server is told to keep a lock, so that it never ends before its holder believes so.

use std::time::Duration;

/// By how much the server's clock may be behind. The clock has whole seconds and is set once a second, by a timer that is a little slow: each
/// of its ticks takes about 1.0007 s, so the clock is behind by up to two seconds before it skips one.
pub(crate) const BEHIND: Duration = Duration::from_secs(2);
/// The longest time to live. The server takes a greater number for a time of day.
const LONGEST_TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The longest lease.
pub(crate) const LONGEST: Duration = LONGEST_TTL.saturating_sub(BEHIND);

/// The time to live with which the server keeps a lock for `duration` at least: rounded up to whole seconds, and the seconds by which the
/// server's clock may be behind. It is never zero, which means for ever to the server.
pub(crate) fn seconds(duration: Duration) -> u64 {
    // The runtime refuses what is longer before it asks. The server would free such a lock at once.
    let kept = duration.min(LONGEST);
    let whole = kept.as_secs() + u64::from(kept.subsec_nanos() > 0);
    whole + BEHIND.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_rounded_down_and_nothing_is_for_ever() {
        for (millis, ttl) in [(0, 2), (1, 3), (999, 3), (1000, 3), (1500, 4), (2000, 4)] {
            assert_eq!(seconds(Duration::from_millis(millis)), ttl, "{millis} ms");
        }
        for long in [LONGEST, LONGEST_TTL, Duration::MAX] {
            assert_eq!(seconds(long), LONGEST_TTL.as_secs());
        }
        assert_eq!(seconds(Duration::new(1, 1)), 4);
    }
}
