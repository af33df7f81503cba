//! The options of `top`.

use std::time::Duration;

use clap::Args;

use super::duration;

/// The options of `top`.
#[derive(Debug, Args)]
pub(crate) struct Top {
    /// How long to wait between two looks at the store
    #[arg(long, value_name = "DURATION", value_parser = period, default_value = "1s", env = "SHEDLOCK_EVERY")]
    pub(crate) every: Duration,
    /// Only locks with each of these words in their name, holder or state; `f` changes it
    #[arg(long, value_name = "WORDS", default_value = "")]
    pub(crate) filter: String,
    /// Print one frame on stdout, without colours, and end
    #[arg(long)]
    pub(crate) once: bool,
    /// Columns and lines of the frame that `--once` prints
    #[arg(long, value_name = "COLUMNSxLINES", value_parser = size, default_value = "80x24", requires = "once")]
    pub(crate) size: (u16, u16),
    /// Show times of day in UTC instead of the local time zone
    #[arg(long, env = "SHEDLOCK_UTC")]
    pub(crate) utc: bool,
}

/// A store that is asked without a rest does nothing else.
fn period(text: &str) -> Result<Duration, String> {
    const SHORTEST: Duration = Duration::from_millis(100);
    match duration(text)? {
        period if period < SHORTEST => Err("the shortest period is 100ms".to_owned()),
        period => Ok(period),
    }
}

fn size(text: &str) -> Result<(u16, u16), String> {
    const MOST: u16 = 1_000;
    let parsed = text.split_once('x').and_then(|(columns, lines)| {
        let number = |text: &str| text.parse().ok().filter(|n| (1..=MOST).contains(n));
        Some((number(columns)?, number(lines)?))
    });
    parsed.ok_or_else(|| format!("a size is such as 80x24, and at most {MOST}x{MOST}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_two_numbers_that_a_screen_can_have() {
        assert_eq!(size("120x40"), Ok((120, 40)));
        for odd in ["", "80", "80x", "0x24", "80x24x1", "80x1001", "-1x5"] {
            assert!(size(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_store_is_not_asked_without_a_rest() {
        assert_eq!(period("100ms"), Ok(Duration::from_millis(100)));
        assert!(period("99ms").is_err());
    }
}
