//! The table of durations, and the words of refusals.

use super::parse;
use std::time::Duration;

#[test]
fn table_agrees() {
    let table = include_str!("../../tests/durations.txt");
    let mut rows = 0;
    for (number, line) in table.lines().enumerate() {
        if line.starts_with('#') {
            continue;
        }
        let (input, expected) = line
            .split_once('\t')
            .unwrap_or_else(|| panic!("line {} has no tab", number + 1));
        let parsed = parse(input);
        if expected == "error" {
            assert!(parsed.is_err(), "`{input}` was read as {parsed:?}");
        } else {
            let millis: f64 = expected.parse().unwrap();
            let duration = Duration::try_from_secs_f64(millis / 1e3).unwrap();
            assert_eq!(parsed, Ok(duration), "`{input}`");
        }
        rows += 1;
    }
    assert!(rows > 80, "only {rows} rows were read");
}

#[test]
fn errors_name_the_fix() {
    for (input, words) in [
        ("", "empty"),
        (" 10m", "did you mean `\"10m\"`?"),
        ("10 minuts", "did you mean `\"10 minutes\"`?"),
        ("10 parsecs", "the units are"),
        ("-5s", "negative"),
        ("PT-5S", "negative"),
        ("-PT5S", "negative"),
        ("-soon", "expected a duration"),
        ("P1M", "`\"PT1M\"`"),
        ("P1Y", "`\"P30D\"`"),
        ("36501d", "36500 days"),
        ("1h 30", "a number that stands alone"),
        ("soon", "expected a duration like `\"10m\"`"),
    ] {
        let message = parse(input).unwrap_err();
        assert!(message.contains(words), "`{input}`: {message}");
    }
}
