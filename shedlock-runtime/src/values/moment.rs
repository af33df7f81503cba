//! A time of day as a reader sees it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use humantime::format_rfc3339_seconds;

/// The first second of the year 10000, which RFC 3339 cannot write.
const TOO_LATE: Duration = Duration::from_secs(253_402_300_800);

/// RFC 3339 in UTC to the second. Whatever a record holds, showing it must not panic, as humantime does at either end.
pub(crate) struct Moment(pub(crate) SystemTime);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.duration_since(UNIX_EPOCH) {
            Ok(since_1970) if since_1970 < TOO_LATE => format_rfc3339_seconds(self.0).fmt(f),
            Ok(_) => f.write_str("after the year 9999"),
            Err(_) => f.write_str("before 1970"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_too_early_or_too_late() {
        let shown = |time: Option<SystemTime>| Moment(time.unwrap()).to_string();
        assert_eq!(shown(Some(UNIX_EPOCH)), "1970-01-01T00:00:00Z");
        let early = UNIX_EPOCH.checked_sub(Duration::from_nanos(1));
        assert_eq!(shown(early), "before 1970");
        let last = Duration::from_secs(TOO_LATE.as_secs() - 1);
        assert_eq!(shown(UNIX_EPOCH.checked_add(last)), "9999-12-31T23:59:59Z");
        assert_eq!(
            shown(UNIX_EPOCH.checked_add(TOO_LATE)),
            "after the year 9999"
        );
    }
}
