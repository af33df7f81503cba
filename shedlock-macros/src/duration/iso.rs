//! ISO-8601 durations: `PnW` or `PnDTnHnMnS`, with a fraction of seconds.

use super::Problem;
use std::time::Duration;

/// Reads `text`, which begins with a `P`.
///
/// # Errors
/// The outer error is a message of its own, the inner a problem that other forms share.
pub(super) fn parse(text: &str) -> Result<Result<Duration, Problem>, String> {
    let upper = text.to_ascii_uppercase();
    let (date, time) = match upper[1..].split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (&upper[1..], None),
    };
    if date.contains(['Y', 'M']) {
        let hint = if time.is_none() && date.ends_with('M') && !date.contains('Y') {
            format!("minutes come after a `T`: `\"PT{date}\"`")
        } else {
            "give days, such as `\"P30D\"`".to_owned()
        };
        return Err(format!(
            "`{text}` counts years or months, which have no fixed length; {hint}"
        ));
    }
    Ok(components(date, time))
}

fn components(date: &str, time: Option<&str>) -> Result<Duration, Problem> {
    // A `T` promises at least one of hours, minutes and seconds; without it there is a date part.
    if time.map_or(date, |time| time).is_empty() {
        return Err(Problem::Malformed);
    }
    let mut sum = Duration::ZERO;
    let mut rest = date;
    for (letter, seconds) in [('W', 604_800), ('D', 86_400)] {
        sum = add(sum, whole(&mut rest, letter, seconds)?)?;
    }
    if !rest.is_empty() {
        return Err(Problem::Malformed);
    }
    let mut rest = time.unwrap_or_default();
    for (letter, seconds) in [('H', 3_600), ('M', 60)] {
        sum = add(sum, whole(&mut rest, letter, seconds)?)?;
    }
    add(sum, fractional_seconds(rest)?)
}

fn add(sum: Duration, more: Duration) -> Result<Duration, Problem> {
    sum.checked_add(more).ok_or(Problem::TooLong)
}

/// Takes `<digits><letter>` from the front of `rest`, if it is there.
fn whole(rest: &mut &str, letter: char, seconds: u64) -> Result<Duration, Problem> {
    let Some((number, after)) = rest.split_once(letter) else {
        return Ok(Duration::ZERO);
    };
    *rest = after;
    number_of(number)?
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or(Problem::TooLong)
}

fn fractional_seconds(text: &str) -> Result<Duration, Problem> {
    if text.is_empty() {
        return Ok(Duration::ZERO);
    }
    let text = text.strip_suffix('S').ok_or(Problem::Malformed)?;
    let (number, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    if fraction.len() > 9 {
        return Err(Problem::TooFine);
    }
    let nanos = number_of(&format!("{fraction:0<9}"))?;
    number_of(fraction)?;
    Ok(Duration::from_secs(number_of(number)?) + Duration::from_nanos(nanos))
}

fn number_of(digits: &str) -> Result<u64, Problem> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::Malformed);
    }
    digits.parse().map_err(|_| Problem::TooLong)
}
