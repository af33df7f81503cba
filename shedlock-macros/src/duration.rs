//! Duration literals: humantime, ISO-8601, and the simple form of JVM ShedLock.
//!
//! The grammar, in the order in which a text is tried:
//!
//! 1. *Simple*, as in ShedLock: digits and one unit of `ns us ms s m h d`, no blanks, any case; no
//!    unit means milliseconds. So `10M` is ten minutes, although humantime reads `M` as months.
//! 2. *ISO-8601*, as `java.time.Duration` reads it, and weeks: `P1D`, `PT1H30M`, `PT0.5S`, `P2W`.
//! 3. *humantime*: one or more of number and unit, `10m`, `1h 30m`, `2days`; except its `M`.
//!
//! The runtime reads the same grammar; `tests/durations.txt` is the table both are tested with.

use crate::diagnostics::closest;
use std::time::Duration;

mod iso;
mod value;

pub(crate) use value::{DurationValue, NO_ANSWER, Zero};

/// The longest duration taken: a hundred years of 365 days. More is a typing error, and stores
/// cannot keep instants that far ahead.
const LONGEST: Duration = Duration::from_secs(36_500 * 86_400);

/// What a literal has to look like, for error messages.
const EXPECTED: &str = "`\"10m\"`, `\"1h 30m\"`, `\"PT10M\"` or `\"600000\"` (milliseconds)";

/// The units of humantime, without their rarer spellings.
const UNITS: [&str; 20] = [
    "ns", "us", "ms", "millis", "secs", "sec", "seconds", "second", "mins", "min", "minutes",
    "minute", "hrs", "hours", "hour", "days", "day", "weeks", "week", "months",
];

/// Reads a duration.
///
/// # Errors
/// The message for the user, without the place.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    if text.trim().is_empty() {
        return Err(format!("the duration is empty; write it as {EXPECTED}"));
    }
    if text.trim() != text {
        let trimmed = text.trim();
        return Err(format!(
            "blanks around a duration; did you mean `\"{trimmed}\"`?"
        ));
    }
    if is_negative(text) {
        return Err(format!("`{text}` is negative; a duration is zero or more"));
    }
    let parsed = match text.as_bytes() {
        [b'P' | b'p', ..] => iso::parse(text)?,
        [b'0'..=b'9', ..] => match simple(text) {
            Some(parsed) => parsed,
            None => human(text),
        },
        _ => Err(Problem::Malformed),
    };
    match parsed {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        Ok(_) | Err(Problem::TooLong) => Err(format!(
            "`{text}` is too long; the longest duration is 36500 days"
        )),
        Err(Problem::Malformed) => Err(format!(
            "expected a duration like {EXPECTED}, found `\"{text}\"`"
        )),
        Err(Problem::Ambiguous) => Err(format!(
            "`M` in `\"{text}\"` could be minutes or months; write `m` or `months`"
        )),
        Err(Problem::MissingUnit) => Err(format!(
            "a number without a unit in `\"{text}\"`; only a number that stands alone means \
             milliseconds"
        )),
        Err(Problem::TooFine) => Err(format!("`{text}` is finer than a nanosecond")),
        Err(Problem::Unit(unit)) => Err(unknown_unit(text, &unit)),
    }
}

/// Whether a minus sign stands before one of the numbers, as `java.time.Duration` would take it.
fn is_negative(text: &str) -> bool {
    let unsigned = text.trim_start_matches('-');
    let is_signed = unsigned.len() < text.len();
    match unsigned.as_bytes() {
        [b'0'..=b'9', ..] => is_signed,
        [b'P' | b'p', rest @ ..] => is_signed || rest.contains(&b'-'),
        _ => false,
    }
}

/// Why a text is not a duration.
#[derive(Debug)]
enum Problem {
    Ambiguous,
    Malformed,
    MissingUnit,
    TooFine,
    TooLong,
    Unit(String),
}

/// ShedLock's simple form; `None` when the text is not of it.
fn simple(text: &str) -> Option<Result<Duration, Problem>> {
    let (number, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let nanos_per_unit: u64 = match unit.to_ascii_lowercase().as_str() {
        "ns" => 1,
        "us" => 1_000,
        "ms" | "" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    let nanos = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(nanos_per_unit));
    Some(nanos.map(Duration::from_nanos).ok_or(Problem::TooLong))
}

/// humantime's form, one component at a time: it would read `1 0m` as ten minutes, and panics on
/// some sums near the end of its range.
fn human(text: &str) -> Result<Duration, Problem> {
    let mut sum = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let number_end = rest.find(|c| !is_number(c)).ok_or(Problem::MissingUnit)?;
        let number = &rest[..number_end];
        let after = rest[number_end..].trim_start();
        let unit_end = after
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(after.len());
        let unit = &after[..unit_end];
        if number.is_empty() {
            return Err(Problem::Malformed);
        }
        if unit.is_empty() {
            return Err(match after.chars().next() {
                None | Some('0'..='9') => Problem::MissingUnit,
                Some(_) => Problem::Malformed,
            });
        }
        if unit == "M" {
            return Err(Problem::Ambiguous);
        }
        let component = component(number, unit)?;
        sum = sum.checked_add(component).ok_or(Problem::TooLong)?;
        rest = after[unit_end..].trim_start();
    }
    Ok(sum)
}

/// One number and its unit, read by humantime.
fn component(number: &str, unit: &str) -> Result<Duration, Problem> {
    use humantime::DurationError as E;

    humantime::parse_duration(&format!("{number}{unit}")).map_err(|error| match error {
        E::UnknownUnit { unit, .. } => Problem::Unit(unit),
        E::NumberOverflow if number.contains('.') => Problem::TooFine,
        E::NumberOverflow => Problem::TooLong,
        E::InvalidCharacter(_) | E::NumberExpected(_) | E::Empty => Problem::Malformed,
    })
}

fn unknown_unit(text: &str, unit: &str) -> String {
    let fix = match closest(unit, UNITS) {
        Some(near) if text.matches(unit).count() == 1 => {
            format!("did you mean `\"{}\"`?", text.replacen(unit, near, 1))
        }
        _ => "the units are `ns`, `us`, `ms`, `s`, `m`, `h`, `d` and `w`".to_owned(),
    };
    format!("unknown unit `{unit}` in the duration `\"{text}\"`; {fix}")
}

#[cfg(test)]
mod tests;
