//! Who believed to hold a lock and when, and whether two believed it at once.

use std::error::Error;
use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use rustix::time::{ClockId, clock_gettime};

/// One acquisition as its holder saw it, in nanoseconds of the machine's monotonic clock.
///
/// It begins when the answer has come and ends before the release is sent, or when the lease asked for is over: between
/// the two nobody else may believe the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Who held it: `<side>-<number>`.
    pub holder: String,
    /// The first moment.
    pub begin: u64,
    /// The last moment.
    pub end: u64,
}

impl Hold {
    /// The holder's side, such as `jvm`.
    #[must_use]
    pub fn side(&self) -> &str {
        self.holder
            .split_once('-')
            .map_or(&*self.holder, |(side, _)| side)
    }
}

impl FromStr for Hold {
    type Err = Box<dyn Error + Send + Sync>;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = line.split(' ').collect();
        let &[holder, begin, end] = words.as_slice() else {
            return Err(format!("expected `<holder> <begin> <end>`, found `{line}`").into());
        };
        let (begin, end) = (begin.parse()?, end.parse()?);
        if end < begin {
            return Err(format!("a hold cannot end before it begins: `{line}`").into());
        }
        Ok(Self {
            holder: holder.to_owned(),
            begin,
            end,
        })
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.holder, self.begin, self.end)
    }
}

/// Reads a log with one hold a line.
///
/// # Errors
///
/// The file cannot be read, or has another line in it.
pub fn read_log(log: &Path) -> Result<Vec<Hold>, Box<dyn Error + Send + Sync>> {
    fs::read_to_string(log)?.lines().map(str::parse).collect()
}

/// Every hold that began while another went on, beside the one that went on longest.
#[must_use]
pub fn overlaps(holds: &[Hold]) -> Vec<(&Hold, &Hold)> {
    let mut found = Vec::new();
    let mut longest: Option<&Hold> = None;
    for hold in in_order(holds) {
        if let Some(before) = longest
            && hold.begin < before.end
        {
            found.push((before, hold));
        }
        if longest.is_none_or(|before| hold.end > before.end) {
            longest = Some(hold);
        }
    }
    found
}

/// How often the lock went from one side to the other: what shows that both contended for it, and not one after the other.
#[must_use]
pub fn handovers(holds: &[Hold]) -> usize {
    in_order(holds)
        .windows(2)
        .filter(|pair| pair[0].side() != pair[1].side())
        .count()
}

fn in_order(holds: &[Hold]) -> Vec<&Hold> {
    let mut holds: Vec<&Hold> = holds.iter().collect();
    holds.sort_by_key(|hold| (hold.begin, hold.end));
    holds
}

/// The machine's monotonic clock, which all its processes share; the JVM's `System.nanoTime()` reads the same one.
#[must_use]
pub fn monotonic_nanos() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let parts = u64::try_from(now.tv_sec)
        .ok()
        .zip(u64::try_from(now.tv_nsec).ok());
    parts.map_or(0, |(seconds, nanos)| seconds * 1_000_000_000 + nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(lines: &[&str]) -> Vec<Hold> {
        lines.iter().map(|line| line.parse().unwrap()).collect()
    }

    fn overlapping(lines: &[&str]) -> Vec<String> {
        overlaps(&holds(lines))
            .iter()
            .map(|(before, hold)| format!("{before} | {hold}"))
            .collect()
    }

    #[test]
    fn one_after_the_other_is_no_overlap() {
        assert_eq!(
            overlapping(&["jvm-0 20 30", "rust-0 10 20", "rust-1 30 30"]),
            [""; 0]
        );
    }

    #[test]
    fn a_hold_that_begins_inside_another_is_found() {
        assert_eq!(
            overlapping(&["jvm-0 10 20", "rust-0 19 30"]),
            ["jvm-0 10 20 | rust-0 19 30"]
        );
    }

    #[test]
    fn a_hold_inside_a_long_one_is_found_behind_a_short_one() {
        assert_eq!(
            overlapping(&["rust-0 10 100", "rust-1 20 30", "jvm-0 50 50"]),
            [
                "rust-0 10 100 | rust-1 20 30",
                "rust-0 10 100 | jvm-0 50 50"
            ]
        );
    }

    #[test]
    fn two_holds_of_one_holder_overlap_too() {
        assert_eq!(overlapping(&["jvm-0 10 20", "jvm-0 10 20"]).len(), 1);
    }

    #[test]
    fn handovers_count_changes_of_side_in_time() {
        let log = holds(&[
            "jvm-0 30 40",
            "rust-0 10 20",
            "rust-1 20 30",
            "rust-0 50 60",
        ]);
        assert_eq!(handovers(&log), 2);
    }

    #[test]
    fn a_log_with_another_line_is_refused() {
        for line in ["", "jvm-0 1", "jvm-0 1 2 3", "jvm-0 2 1", "jvm-0 -1 2"] {
            assert!(line.parse::<Hold>().is_err(), "{line}");
        }
    }
}
