//! What a node tells the parent: one line of text each, over the node's standard output.

use std::fmt;
use std::ops::Add;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow};

/// Time of day in microseconds since 1970. All nodes are on one host, so theirs can be compared; SQLite reads the same clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Micros(pub(crate) u64);

impl Micros {
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let micros = since.unwrap_or_default().as_micros();
        Self(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// The whole second, which names a tick of the schedule.
    pub(crate) fn second(self) -> u64 {
        self.0 / 1_000_000
    }

    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Micros {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

/// One line from a node. A tick is the second in which the scheduler fired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Report {
    /// The node waits for the word to go.
    Ready,
    /// The body runs, so the node holds the lock, which it asked for at `asked`.
    Started {
        tick: u64,
        asked: Micros,
        at: Micros,
        token: Option<u64>,
    },
    /// The body has ended; the node still holds the lock.
    Ended { tick: u64, at: Micros },
    /// The call returned without running the body.
    Skipped { tick: u64, reason: String },
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready"),
            Self::Started {
                tick,
                asked,
                at,
                token,
            } => {
                write!(f, "started {tick} {} {}", asked.0, at.0)?;
                token.map_or(Ok(()), |token| write!(f, " {token}"))
            }
            Self::Ended { tick, at } => write!(f, "ended {tick} {}", at.0),
            Self::Skipped { tick, reason } => write!(f, "skipped {tick} {reason}"),
        }
    }
}

impl FromStr for Report {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> anyhow::Result<Self> {
        let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
        if what == "skipped" {
            let (tick, reason) = rest.split_once(' ').context("a skip has a reason")?;
            return Ok(Self::Skipped {
                tick: tick.parse()?,
                reason: reason.to_owned(),
            });
        }
        let numbers: Vec<u64> = rest
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        match (what, numbers.as_slice()) {
            ("ready", []) => Ok(Self::Ready),
            ("started", [tick, asked, at, token @ ..]) => Ok(Self::Started {
                tick: *tick,
                asked: Micros(*asked),
                at: Micros(*at),
                token: token.first().copied(),
            }),
            ("ended", [tick, at]) => Ok(Self::Ended {
                tick: *tick,
                at: Micros(*at),
            }),
            _ => Err(anyhow!("not a report: `{line}`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_writes_the_parent_reads() {
        let (asked, at) = (Micros(5_000_001), Micros(5_000_002));
        for report in [
            Report::Ready,
            Report::Started {
                tick: 5,
                asked,
                at,
                token: Some(7),
            },
            Report::Started {
                tick: 5,
                asked,
                at,
                token: None,
            },
            Report::Ended { tick: 5, at },
            Report::Skipped {
                tick: 5,
                reason: "store error".to_owned(),
            },
        ] {
            assert_eq!(report.to_string().parse::<Report>().unwrap(), report);
        }
    }

    #[test]
    fn anything_else_is_no_report() {
        for line in ["", "hello", "started", "ended 5", "skipped 5"] {
            assert!(line.parse::<Report>().is_err(), "{line}");
        }
    }
}
