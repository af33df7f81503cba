//! How long repetitions of one kind took: percentiles, and their table.

use std::io::{IsTerminal as _, stdout};
use std::time::Duration;

use serde::Serialize;

use crate::view::table::{self, Cell};

/// So many durations are kept. Of more, each second one, each fourth one and so on.
const MOST: usize = 100_000;

/// Durations of one kind, in the memory of a hundred thousand at most.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    kept: Vec<Duration>,
    /// Each 2^`thinned`th duration is kept.
    thinned: u32,
    count: u64,
    longest: Duration,
}

/// How long the repetitions of one kind took.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    what: &'static str,
    count: u64,
    p50_us: u64,
    p99_us: u64,
    max_us: u64,
    per_second: u64,
}

impl Samples {
    pub(crate) fn add(&mut self, took: Duration) {
        if self.count.trailing_zeros() >= self.thinned {
            self.kept.push(took);
        }
        self.count += 1;
        self.longest = self.longest.max(took);
        if self.kept.len() == MOST {
            let mut is_second = false;
            self.kept.retain(|_| {
                is_second = !is_second;
                is_second
            });
            self.thinned += 1;
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The figures of all repetitions, which took `all` together.
    pub(crate) fn figures(mut self, what: &'static str, all: Duration) -> Figures {
        self.kept.sort_unstable();
        let at = |percent| {
            let rank = rank(self.kept.len(), percent);
            micros(self.kept.get(rank).copied().unwrap_or_default())
        };
        Figures {
            what,
            count: self.count,
            p50_us: at(50),
            p99_us: at(99),
            max_us: micros(self.longest),
            per_second: self.count.saturating_mul(1_000_000) / micros(all).max(1),
        }
    }
}

/// Which of `count` sorted values is the percentile: the smallest one that so many per cent do not exceed.
fn rank(count: usize, percent: usize) -> usize {
    (count * percent).div_ceil(100).saturating_sub(1)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

pub(crate) fn table(measured: &[Figures]) -> String {
    const HEADER: &[&str] = &["WHAT", "COUNT", "P50", "P99", "MAX", "PER SECOND"];
    let millis = |micros: u64| {
        let (whole, rest) = (micros / 1_000, micros % 1_000 / 10);
        Cell::plain(format!("{whole}.{rest:02} ms"))
    };
    let rows = measured.iter().map(|row| {
        vec![
            Cell::plain(row.what),
            Cell::plain(row.count.to_string()),
            millis(row.p50_us),
            millis(row.p99_us),
            millis(row.max_us),
            Cell::plain(row.per_second.to_string()),
        ]
    });
    table::aligned(HEADER, rows.collect(), stdout().is_terminal())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        assert_eq!((rank(1, 50), rank(1, 99), rank(1, 100)), (0, 0, 0));
        assert_eq!(
            (rank(200, 50), rank(200, 99), rank(200, 100)),
            (99, 197, 199)
        );
        assert_eq!(rank(0, 50), 0);
    }

    #[test]
    fn many_durations_are_thinned_evenly() {
        let mut samples = Samples::default();
        for number in 0..400_000 {
            samples.add(Duration::from_micros(number));
        }
        assert!(samples.kept.len() < MOST, "{}", samples.kept.len());
        let figures = samples.figures("x", Duration::from_secs(4));
        assert_eq!((figures.count, figures.per_second), (400_000, 100_000));
        assert_eq!(figures.max_us, 399_999);
        for (micros, expected) in [(figures.p50_us, 200_000), (figures.p99_us, 396_000)] {
            assert!(micros.abs_diff(expected) < 100, "{figures:?}");
        }
    }
}
