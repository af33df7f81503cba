//! Times of day as JVM nodes write them into stores that keep text.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Formats `time` in ISO 8601, in UTC with three digits of milliseconds, as JVM nodes write instants.
///
/// The time is rounded up to a millisecond, so that a lease never ends in the store before it ends for its holder.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
///
/// use shedlock_runtime::{format_timestamp, parse_timestamp};
///
/// let time = UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_001);
/// assert_eq!(format_timestamp(time), "2023-11-14T22:13:20.001Z");
/// assert_eq!(parse_timestamp("2023-11-14T22:13:20.001Z"), Some(UNIX_EPOCH + Duration::from_millis(1_700_000_000_001)));
/// ```
#[must_use]
pub fn format_timestamp(time: SystemTime) -> String {
    /// The last instant that has four digits to the year.
    const LAST: u64 = 253_402_300_799_999;
    let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = since_1970.as_nanos().div_ceil(1_000_000);
    let millis = u64::try_from(millis).unwrap_or(LAST).min(LAST);
    let time = UNIX_EPOCH + Duration::from_millis(millis);
    humantime::format_rfc3339_millis(time).to_string()
}

/// Parses a time that [`format_timestamp`] or a JVM node has written, with any number of digits behind the seconds; `None` if `text` is not
/// such a time.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::parse_timestamp;
///
/// assert!(parse_timestamp("2026-11-28T10:42:55Z").is_some());
/// assert!(parse_timestamp("2026-11-28T10:42:55.972123456Z").is_some());
/// assert!(parse_timestamp("28.11.2026").is_none());
/// ```
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_too_early_or_too_late() {
        assert_eq!(
            format_timestamp(UNIX_EPOCH - Duration::from_secs(1)),
            "1970-01-01T00:00:00.000Z"
        );
        let late = UNIX_EPOCH + Duration::from_secs(300_000_000_000);
        assert_eq!(format_timestamp(late), "9999-12-31T23:59:59.999Z");
    }
}
