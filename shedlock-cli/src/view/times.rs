//! Times for people, and what is left of a lease.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// How many characters a bar has.
const BAR: u32 = 10;
const DAY: Duration = Duration::from_hours(24);

/// The time zone in which times of day are printed.
#[derive(Debug, Clone)]
pub(crate) struct Zone(TimeZone);

impl Zone {
    /// UTC, or else the zone of the system.
    pub(crate) fn new(utc: bool) -> Self {
        Self(if utc {
            TimeZone::UTC
        } else {
            TimeZone::system()
        })
    }

    /// The time of day, with the date if it is not near `now`.
    pub(crate) fn time(&self, time: SystemTime, now: SystemTime) -> String {
        let distance = now
            .duration_since(time)
            .unwrap_or_else(|later| later.duration());
        let form = if distance < DAY {
            "%H:%M:%S"
        } else {
            "%Y-%m-%d %H:%M:%S"
        };
        match Timestamp::try_from(time) {
            Ok(time) => time.to_zoned(self.0.clone()).strftime(form).to_string(),
            // A record may contain any time.
            Err(_) => "?".to_owned(),
        }
    }
}

/// What is left of the whole, as a bar.
pub(crate) fn bar(left: Duration, whole: Duration) -> String {
    let tenths = left.as_millis() * u128::from(BAR);
    let full = tenths
        .div_ceil(whole.as_millis().max(1))
        .min(u128::from(BAR));
    (0..u128::from(BAR))
        .map(|at| if at < full { '█' } else { '░' })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_time_of_another_day_has_its_date() {
        let (zone, now) = (Zone::new(true), UNIX_EPOCH + DAY * 365);
        assert_eq!(zone.time(now - Duration::from_secs(1), now), "23:59:59");
        assert_eq!(zone.time(UNIX_EPOCH, now), "1970-01-01 00:00:00");
        assert_eq!(zone.time(UNIX_EPOCH + DAY * 10_000_000, now), "?");
    }

    #[test]
    fn a_bar_is_empty_only_when_nothing_is_left() {
        let second = Duration::from_secs(1);
        assert_eq!(bar(second, second * 100), "█░░░░░░░░░");
        assert_eq!(bar(second, second), "██████████");
        assert_eq!(bar(Duration::ZERO, second), "░░░░░░░░░░");
        assert_eq!(bar(second, Duration::ZERO), "██████████");
    }
}
