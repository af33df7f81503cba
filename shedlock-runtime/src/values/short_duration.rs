//! Durations for people.

use std::time::Duration;

/// Formats `duration` for people, in its two largest units: `7m 12s`, `1s 250ms`.
///
/// The duration is rounded down: to whole seconds from ten seconds on, to milliseconds from a millisecond on, and else to microseconds.
/// [`ToDuration`](crate::ToDuration) reads the text back.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use shedlock_runtime::short_duration;
///
/// assert_eq!(short_duration(Duration::from_secs(86_400 + 5 * 3_600 + 40)), "1day 5h");
/// assert_eq!(short_duration(Duration::from_millis(432_900)), "7m 12s");
/// assert_eq!(short_duration(Duration::from_micros(90_500)), "90ms");
/// ```
#[must_use]
pub fn short_duration(duration: Duration) -> String {
    let nanos = duration.subsec_nanos();
    let grain = if duration < Duration::from_millis(1) {
        1_000
    } else if duration < Duration::from_secs(10) {
        1_000_000
    } else {
        1_000_000_000
    };
    let rounded = Duration::new(duration.as_secs(), nanos - nanos % grain);
    let text = humantime::format_duration(rounded).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::duration::ToDuration as _;

    #[test]
    fn a_duration_has_two_units_and_no_more_than_people_need() {
        for (nanos, text) in [
            (0, "0s"),
            (999, "0s"),
            (300_900, "300us"),
            (90_999_999, "90ms"),
            (9_999_999_999, "9s 999ms"),
            (10_999_999_999, "10s"),
            (7_265_000_000_000, "2h 1m"),
            (34_560_000_000_000_000, "1year 1month"),
        ] {
            assert_eq!(short_duration(Duration::from_nanos(nanos)), text);
            assert!(text.to_duration().is_ok(), "{text}");
        }
        assert!(!short_duration(Duration::MAX).is_empty());
    }
}
