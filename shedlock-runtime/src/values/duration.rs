//! The grammar of durations in text, for the macro and for [`LockConfiguration`](crate::LockConfiguration).

use std::time::Duration;

/// A century. Longer leases mean a slip of the pen, and the sum with today's date still has four digits to the year.
pub(crate) const LONGEST: Duration = Duration::from_secs(36_500 * 24 * 60 * 60);

/// Why a duration is refused.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{InvalidDuration, ToDuration as _};
///
/// assert_eq!("40000d".to_duration(), Err(InvalidDuration::TooLong));
/// assert!(matches!("-5m".to_duration(), Err(InvalidDuration::Negative { .. })));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDuration {
    /// The text has none of the accepted forms.
    #[error(
        "expected a duration like `10m`, `1h 30m`, `PT10M` or a number of milliseconds, found `{found}`"
    )]
    Unparsable {
        /// The text that was refused, cut to 64 characters.
        found: String,
    },
    /// The duration is negative.
    #[error("a duration cannot be negative, found `{found}`")]
    Negative {
        /// The text that was refused, cut to 64 characters.
        found: String,
    },
    /// The duration is longer than 36500 days.
    #[error("a duration can be at most 36500 days (100 years)")]
    TooLong,
    /// `at_most` is zero: the lock would be free at once.
    #[error("`at_most` cannot be zero; it is how long the lock is held if its node dies")]
    ZeroAtMost,
    /// `at_most` is positive and shorter than a millisecond, the finest step in which stores count.
    #[error("`at_most` cannot be shorter than a millisecond, which is as fine as stores count")]
    TooShort,
    /// A time limit on requests is shorter than a millisecond: no store can answer in time.
    #[error("a time limit cannot be shorter than a millisecond: no store could answer in time")]
    LimitTooShort,
    /// `at_most` is shorter than the shortest lease of this store.
    #[error("`at_most` cannot be shorter than {} in this store", humantime::format_duration(*shortest))]
    ShorterThanStore {
        /// The shortest lease of this store.
        shortest: Duration,
    },
    /// A lease or an `at_least` is longer than this store keeps a lock taken.
    #[error("this store keeps a lock taken for at most {} at a time", humantime::format_duration(*longest))]
    LongerThanStore {
        /// The longest duration for which this store keeps a lock taken.
        longest: Duration,
    },
    /// The lease would end after the last instant that the store's column can hold.
    #[error("the lease would end after {limit}, which is as far as the column goes")]
    TooFar {
        /// The last instant that the column can hold, as text.
        limit: &'static str,
    },
}

/// A [`Duration`], or a duration in text: `10m`, `1h 30m`, `PT15M`, or a bare number of milliseconds.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use shedlock_runtime::ToDuration;
///
/// assert_eq!("1h 30m".to_duration()?, Duration::from_secs(5400));
/// assert_eq!("PT15M".to_duration()?, Duration::from_secs(900));
/// assert_eq!("250".to_duration()?, Duration::from_millis(250));
/// assert!("10 parsecs".to_duration().is_err());
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
pub trait ToDuration {
    /// Converts to a [`Duration`].
    ///
    /// # Errors
    ///
    /// [`InvalidDuration`] if the text cannot be understood, or if the duration is negative or longer than 36500 days.
    fn to_duration(&self) -> Result<Duration, InvalidDuration>;
}

impl ToDuration for Duration {
    fn to_duration(&self) -> Result<Duration, InvalidDuration> {
        bounded(*self)
    }
}

impl ToDuration for str {
    fn to_duration(&self) -> Result<Duration, InvalidDuration> {
        parse(self)
    }
}

impl ToDuration for String {
    fn to_duration(&self) -> Result<Duration, InvalidDuration> {
        parse(self)
    }
}

impl<T: ToDuration + ?Sized> ToDuration for &T {
    fn to_duration(&self) -> Result<Duration, InvalidDuration> {
        (**self).to_duration()
    }
}

fn bounded(duration: Duration) -> Result<Duration, InvalidDuration> {
    if duration > LONGEST {
        Err(InvalidDuration::TooLong)
    } else {
        Ok(duration)
    }
}

fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let found = || text.chars().take(64).collect();
    if text.starts_with('-') || text.contains("T-") || text.contains("P-") {
        return Err(InvalidDuration::Negative { found: found() });
    }
    let parsed = match text.as_bytes() {
        [b'P' | b'p', ..] => iso_8601(text),
        [b'0'..=b'9', ..] => simple(text).unwrap_or_else(|| human(text)),
        _ => Err(Refused::Malformed),
    };
    match parsed {
        Ok(duration) => bounded(duration),
        Err(Refused::TooLong) => Err(InvalidDuration::TooLong),
        Err(Refused::Malformed) => Err(InvalidDuration::Unparsable { found: found() }),
    }
}

enum Refused {
    Malformed,
    TooLong,
}

/// ShedLock's form, digits and one unit in any case; before humantime, to whom `10M` is ten months.
fn simple(text: &str) -> Option<Result<Duration, Refused>> {
    let (number, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let nanos: u64 = match unit.to_ascii_lowercase().as_str() {
        "ns" => 1,
        "us" => 1_000,
        "" | "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    let nanos = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(nanos));
    Some(nanos.map(Duration::from_nanos).ok_or(Refused::TooLong))
}

/// humantime's form, one component at a time: all at once it reads `1 0m` as ten minutes, and panics on some sums.
fn human(text: &str) -> Result<Duration, Refused> {
    let (mut total, mut rest) = (Duration::ZERO, text);
    while !rest.is_empty() {
        let number = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                .len();
        let (number, after) = rest.split_at(number);
        let after = after.trim_start_matches(' ');
        let unit = after.len() - after.trim_start_matches(char::is_alphabetic).len();
        let (unit, after) = after.split_at(unit);
        // `M` could be minutes, as everywhere in ShedLock, or months, as in humantime.
        if number.is_empty() || unit.is_empty() || unit == "M" {
            return Err(Refused::Malformed);
        }
        let component = match humantime::parse_duration(&format!("{number}{unit}")) {
            Ok(component) => component,
            Err(humantime::DurationError::NumberOverflow) => return Err(Refused::TooLong),
            Err(_) => return Err(Refused::Malformed),
        };
        total = total.checked_add(component).ok_or(Refused::TooLong)?;
        rest = after.trim_start_matches(' ');
        if rest.is_empty() && after != rest {
            return Err(Refused::Malformed);
        }
    }
    Ok(total)
}

/// `PnWnDTnHnMn.nS` as `java.time.Duration` reads it, and weeks: no months, no years.
fn iso_8601(text: &str) -> Result<Duration, Refused> {
    let text = text.to_ascii_uppercase().replace(',', ".");
    let (date, time) = match text[1..].split_once('T') {
        Some((_, "")) => return Err(Refused::Malformed),
        Some((date, time)) => (date, time),
        None if text.len() == 1 => return Err(Refused::Malformed),
        None => (&text[1..], ""),
    };
    let mut total = Duration::ZERO;
    for (part, units) in [
        (date, &[('W', 604_800), ('D', 86_400)][..]),
        (time, &[('H', 3_600), ('M', 60), ('S', 1)][..]),
    ] {
        let mut rest = part;
        for (letter, seconds) in units {
            if let Some((number, after)) = rest.split_once(*letter) {
                total = total
                    .checked_add(component(number, *seconds)?)
                    .ok_or(Refused::TooLong)?;
                rest = after;
            }
        }
        if !rest.is_empty() {
            return Err(Refused::Malformed);
        }
    }
    Ok(total)
}

/// `number` times `unit` seconds; only seconds themselves may have a fraction.
fn component(number: &str, unit: u64) -> Result<Duration, Refused> {
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) if unit == 1 && (1..=9).contains(&fraction.len()) => {
            (whole, fraction)
        }
        Some(_) => return Err(Refused::Malformed),
        None => (number, "0"),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(Refused::Malformed);
    }
    let seconds = whole
        .parse::<u64>()
        .ok()
        .and_then(|whole| whole.checked_mul(unit));
    let nanos = format!("{fraction:0<9}")
        .parse()
        .map_err(|_| Refused::Malformed)?;
    Ok(Duration::new(seconds.ok_or(Refused::TooLong)?, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The macros read the same grammar and are tested with the same table.
    const TABLE: &str = include_str!("../../../shedlock-macros/tests/durations.txt");

    #[test]
    fn the_grammar_is_the_macros() {
        let mut rows = 0;
        for row in TABLE
            .lines()
            .filter(|row| !row.starts_with('#') && !row.is_empty())
        {
            let (text, expected) = row.rsplit_once('\t').unwrap();
            let found = match text.to_duration() {
                Ok(duration) => format!("{}", duration.as_nanos()),
                Err(_) => "error".to_owned(),
            };
            let expected = match expected.parse::<f64>() {
                Ok(millis) => format!("{:.0}", millis * 1e6),
                Err(_) => expected.to_owned(),
            };
            assert_eq!(found, expected, "{text:?}");
            rows += 1;
        }
        assert!(rows > 80, "the table has {rows} rows");
    }

    #[test]
    fn negative_and_overlong_durations_are_called_by_their_name() {
        assert!(matches!(
            "-5s".to_duration(),
            Err(InvalidDuration::Negative { .. })
        ));
        assert_eq!("9999999years".to_duration(), Err(InvalidDuration::TooLong));
        assert_eq!(Duration::MAX.to_duration(), Err(InvalidDuration::TooLong));
    }

    #[test]
    fn a_megabyte_of_text_is_refused_in_a_short_message() {
        let message = "9".repeat(1_000_000).to_duration().unwrap_err().to_string();
        assert!(message.len() < 200);
        let message = "x".repeat(1_000_000).to_duration().unwrap_err().to_string();
        assert!(message.len() < 200);
    }
}
