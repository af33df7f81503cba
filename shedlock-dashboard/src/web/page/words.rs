//! Times and numbers for people.

use std::time::{Duration, SystemTime};

use maud::{Markup, html};
use shedlock_runtime::{RunOutcome, format_timestamp};

use crate::LockState;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The time of day, with the date if it is not near `now`. In UTC; the script adds the reader's own time.
pub(super) fn time(time: SystemTime, now: SystemTime) -> Markup {
    let exact = format_timestamp(time);
    let (date, clock) = exact.split_once('T').unwrap_or((&exact, ""));
    let clock = clock.split(['.', 'Z']).next().unwrap_or_default();
    let distance = now
        .duration_since(time)
        .unwrap_or_else(|later| later.duration());
    html! {
        time datetime=(exact) title={ (date) " " (clock) " UTC" } {
            @if distance >= DAY { (date) " " }
            (clock)
        }
    }
}

/// The number with its thousands apart.
pub(super) fn number(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The word for a state on the page.
pub(super) const fn state(state: LockState) -> &'static str {
    match state {
        LockState::AtLeast => "at least",
        other => other.as_str(),
    }
}

/// The word for the end of a run on the page.
pub(super) fn outcome(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::ShutDown => "shut down",
        other => other.as_str(),
    }
}

/// The class that colours the end of a run: good, bad, or neither.
pub(super) const fn quality(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Completed => "good",
        RunOutcome::ShutDown | RunOutcome::Dropped => "odd",
        _ => "bad",
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn thousands_are_apart() {
        assert_eq!([number(7), number(1_000)], ["7", "1,000"]);
        assert_eq!(number(1_234_567), "1,234,567");
    }

    #[test]
    fn a_time_of_another_day_has_its_date() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let near = time(now - Duration::from_secs(60), now).0;
        assert_eq!(
            near,
            "<time datetime=\"2001-09-09T01:45:40.000Z\" title=\"2001-09-09 01:45:40 UTC\">01:45:40</time>"
        );
        let far = time(now - DAY, now).0;
        assert!(far.contains(">2001-09-08 01:46:40<"), "{far}");
    }
}
