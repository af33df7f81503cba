//! The grammar of durations in text, the macro's and [`LockConfiguration`](crate::LockConfiguration)'s alike.

use std::time::Duration;

/// A century. Longer leases mean a slip of the pen, and the sum with today's date still has four digits to the year.
pub(crate) const LONGEST: Duration = Duration::from_secs(36_500 * 24 * 60 * 60);

/// Why a duration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDuration {
    /// The text follows none of the accepted forms.
    #[error(
        "expected a duration like `10m`, `1h 30m`, `PT10M` or a number of milliseconds, found `{found}`"
    )]
    Unparsable {
        /// The text.
        found: String,
    },
    /// A duration cannot run backwards.
    #[error("a duration cannot be negative, found `{found}`")]
    Negative {
        /// The text.
        found: String,
    },
    /// The duration is longer than 36500 days.
    #[error("a duration can be at most 36500 days (100 years)")]
    TooLong,
    /// `at_most` is zero: the lock would be free again at once.
    #[error("`at_most` cannot be zero; it is how long the lock is held if its node dies")]
    ZeroAtMost,
    /// `at_most` is positive but shorter than the stores can tell apart.
    #[error("`at_most` cannot be shorter than a millisecond, which is as fine as stores count")]
    TooShort,
    /// The lease would end past the last instant that the store's column can hold.
    #[error("the lease would end after {limit}, which is as far as the column goes")]
    BeyondColumn {
        /// The last instant, for people.
        limit: &'static str,
    },
}

/// A duration, or text in the macro's grammar: `10m`, `1h 30m`, `PT15M`, or a bare number of milliseconds.
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
    /// The duration meant.
    ///
    /// # Errors
    ///
    /// [`InvalidDuration`] where text cannot be understood, is negative or longer than 36500 days.
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
    let unparsable = || InvalidDuration::Unparsable {
        found: text.chars().take(64).collect(),
    };
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let negative = text
        .strip_prefix('-')
        .is_some_and(|rest| parse(rest).is_ok());
    if negative || unsigned.contains("T-") || unsigned.starts_with("P-") {
        return Err(InvalidDuration::Negative {
            found: text.chars().take(64).collect(),
        });
    }
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let duration = match unsigned.split_at(digits) {
        ("", iso) if iso.starts_with(['P', 'p']) => iso_8601(iso).ok_or_else(unparsable)?,
        // Before humantime, to whom `10M` is ten months; to ShedLock it is ten minutes.
        (number, unit) if !number.is_empty() && simple_unit(unit).is_some() => {
            let unit = simple_unit(unit).unwrap_or_default();
            number
                .parse::<u128>()
                .ok()
                .and_then(|number| number.checked_mul(unit))
                .and_then(from_nanos)
                .ok_or(InvalidDuration::TooLong)?
        }
        _ => match humantime::parse_duration(unsigned) {
            Ok(duration) => duration,
            Err(humantime::DurationError::NumberOverflow) => return Err(InvalidDuration::TooLong),
            Err(_) => return Err(unparsable()),
        },
    };
    bounded(duration)
}

/// ShedLock's units in nanoseconds, in any case; none is milliseconds.
fn simple_unit(unit: &str) -> Option<u128> {
    Some(match unit.to_lowercase().as_str() {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "" | "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    })
}

fn from_nanos(nanos: u128) -> Option<Duration> {
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    let rest = u32::try_from(nanos % 1_000_000_000).ok()?;
    Some(Duration::new(seconds, rest))
}

/// `PnDTnHnMn.nS` as `java.time.Duration` reads it: no months, no years, no weeks.
fn iso_8601(text: &str) -> Option<Duration> {
    let text = text.to_ascii_uppercase();
    let (date, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (text.strip_prefix('P')?, ""),
    };
    let mut total = Duration::ZERO;
    let mut rest = date;
    if !rest.is_empty() {
        total = seconds(rest.strip_suffix('D')?, 86_400)?;
    }
    rest = time;
    for (letter, unit) in [('H', 3_600), ('M', 60)] {
        if let Some((number, after)) = rest.split_once(letter) {
            total = total.checked_add(seconds(number, unit)?)?;
            rest = after;
        }
    }
    if !rest.is_empty() {
        let (whole, fraction) = rest
            .strip_suffix('S')?
            .split_once('.')
            .unwrap_or((rest.strip_suffix('S')?, "0"));
        if fraction.is_empty()
            || fraction.len() > 9
            || !fraction.bytes().all(|b| b.is_ascii_digit())
        {
            return None;
        }
        let nanos = format!("{fraction:0<9}").parse().ok()?;
        total = total
            .checked_add(seconds(whole, 1)?)?
            .checked_add(Duration::from_nanos(nanos))?;
    }
    (!date.is_empty() || !time.is_empty()).then_some(total)
}

fn seconds(number: &str, unit: u64) -> Option<Duration> {
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_secs(
        number.parse::<u64>().ok()?.checked_mul(unit)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> Option<u128> {
        text.to_duration().ok().map(|d| d.as_millis())
    }

    #[test]
    fn every_form_is_understood() {
        for (text, expected) in [
            ("10m", 600_000),
            ("10M", 600_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            ("PT15M", 900_000),
            ("pt0.5s", 500),
            ("P1D", 86_400_000),
            ("P1DT1H30M5S", 91_805_000),
            ("0", 0),
            ("1500", 1_500),
            ("30ms", 30),
            ("2d", 172_800_000),
        ] {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            " ",
            "10 parsecs",
            "ten",
            "P",
            "PT",
            "PT5",
            "P1H",
            "PT1.S",
            "1.5",
            "1e3",
            "٣m",
            "10m!",
            "- 5s",
            "99999999999999999999999999999999999999999d",
            "36501d",
            "-5s",
            "PT-5S",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }

    #[test]
    fn negative_and_overlong_durations_are_called_by_their_name() {
        assert!(matches!(
            "-5s".to_duration(),
            Err(InvalidDuration::Negative { .. })
        ));
        assert_eq!("9999999y".to_duration(), Err(InvalidDuration::TooLong));
        assert_eq!(Duration::MAX.to_duration(), Err(InvalidDuration::TooLong));
    }
}
