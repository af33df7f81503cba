//! How long a lock stays taken after a short run, so that there is only one run for each tick.
//!
//! Nodes see the same tick at different moments: the scheduler checks the time twice a second, and clocks differ. If a run ended before
//! the last node sees the tick, that node would repeat the run.

use std::fmt;
use std::time::Duration;

use humantime::format_duration;

/// How often the scheduler checks the time.
pub(crate) const POLL: Duration = Duration::from_millis(500);

/// More than the clocks of nodes usually differ. A longer guard would only prevent people from running a job by hand.
const LONGEST_GUARD: Duration = Duration::from_secs(30);

/// The kind of ticks that a job has, and the time between two ticks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ticks {
    /// All nodes have the same ticks. The duration is the shortest time between two ticks.
    Shared(Duration),
    /// Each node counts its ticks from its own start. The duration is the interval.
    Own(Duration),
}

/// Why a configured `at_least` is probably a mistake.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    TooShort {
        at_least: Duration,
        needed: Duration,
    },
    TooLong {
        at_least: Duration,
        gap: Duration,
    },
}

impl Ticks {
    /// The `at_least` of a job whose lock has no `at_least`.
    pub(crate) fn guard(self) -> Duration {
        match self {
            Self::Shared(gap) => (gap / 2).min(LONGEST_GUARD),
            // The ticks of other nodes can lie anywhere in the interval. One second less than the interval, so that the node of the
            // last run is not refused if that node sees its next tick a little early.
            Self::Own(interval) => interval
                .saturating_sub(Duration::from_secs(1))
                .max(interval / 2),
        }
    }

    /// What is wrong with a configured `at_least`; `None` if nothing is wrong.
    pub(crate) fn doubt(self, at_least: Duration) -> Option<Doubt> {
        let (gap, needed) = match self {
            Self::Shared(gap) => (gap, POLL.min(gap / 2)),
            Self::Own(interval) => (interval, interval / 2),
        };
        if at_least < needed {
            Some(Doubt::TooShort { at_least, needed })
        } else if at_least > gap {
            Some(Doubt::TooLong { at_least, gap })
        } else {
            None
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { at_least, needed } => write!(
                f,
                "`at_least` is {}, and below {} two nodes may both run one tick; leave it out to have one that fits",
                format_duration(*at_least),
                format_duration(*needed)
            ),
            Self::TooLong { at_least, gap } => write!(
                f,
                "`at_least` is {}, but ticks come every {}: the lock is still taken at some of them, which skip",
                format_duration(*at_least),
                format_duration(*gap)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn the_guard_outlasts_polls_and_clocks_and_ends_before_the_next_tick() {
        for (gap, guard) in [(1, 500), (5, 2_500), (60, 30_000), (86_400, 30_000)] {
            let ticks = Ticks::Shared(secs(gap));
            assert_eq!(ticks.guard(), Duration::from_millis(guard), "{gap} s");
            assert_eq!(ticks.doubt(ticks.guard()), None, "{gap} s");
        }
    }

    #[test]
    fn an_interval_is_kept_across_nodes_that_count_from_different_starts() {
        for (interval, guard) in [(1, 500), (2, 1_000), (10, 9_000), (86_400, 86_399_000)] {
            let ticks = Ticks::Own(secs(interval));
            assert_eq!(ticks.guard(), Duration::from_millis(guard), "{interval} s");
            assert_eq!(ticks.doubt(ticks.guard()), None, "{interval} s");
        }
    }

    #[test]
    fn an_implausible_at_least_is_warned_about() {
        let doubt = |ticks: Ticks, at_least| {
            let doubt = ticks.doubt(Duration::from_millis(at_least));
            doubt.map(|doubt| doubt.to_string())
        };
        let shared = Ticks::Shared(secs(300));
        assert_eq!(
            doubt(shared, 100).unwrap(),
            "`at_least` is 100ms, and below 500ms two nodes may both run one tick; leave it out to have one that fits"
        );
        assert_eq!(doubt(shared, 500), None);
        assert_eq!(doubt(shared, 300_000), None);
        assert_eq!(
            doubt(shared, 840_000).unwrap(),
            "`at_least` is 14m, but ticks come every 5m: the lock is still taken at some of them, which skip"
        );
        let own = Ticks::Own(secs(300));
        assert_eq!(
            doubt(own, 3_000).unwrap(),
            "`at_least` is 3s, and below 2m 30s two nodes may both run one tick; leave it out to have one that fits"
        );
    }
}
