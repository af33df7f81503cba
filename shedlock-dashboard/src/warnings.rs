//! What looks wrong with the locks of a store.

use std::fmt;
use std::time::{Duration, SystemTime};

use shedlock_runtime::{LockError, RunOutcome, RunRecord, short_duration};

use crate::snapshot::{ClockDifference, LockRow, LockState};

/// A difference below this is the time that the answer was on its way, and that a clock is read in.
const MOST_DIFFERENCE: Duration = Duration::from_secs(1);
/// How long a crash is worth a warning after another node took over.
const RECENT: Duration = Duration::from_secs(60 * 60);
/// How long a crash is worth a warning while no node takes over, as with a job that runs once a day.
const ABANDONED: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// With fewer runs, nobody knows how long a run usually takes.
const FEWEST_RUNS: usize = 5;
/// A lock that is held for this many times its longest run is probably stuck.
const TOO_LONG: u32 = 3;

/// Something that an operator should look at.
///
/// # Examples
///
/// A warning is shown as one line:
///
/// ```
/// use shedlock_dashboard::Snapshot;
///
/// fn report(snapshot: &Snapshot) {
///     for warning in &snapshot.warnings {
///         // Such as: `mail: crashed on web-2 5m ago`
///         eprintln!("{warning}");
///     }
/// }
/// # let _check: fn(&Snapshot) = report;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// What it is.
    pub kind: WarningKind,
    /// The name of the lock, unescaped; `None` if the warning is about the whole store.
    pub lock: Option<String>,
}

/// What a [`Warning`] is about, the worst first.
///
/// # Examples
///
/// ```
/// use shedlock_dashboard::{Snapshot, WarningKind};
///
/// /// Whether somebody should get up.
/// fn is_urgent(snapshot: &Snapshot) -> bool {
///     snapshot.warnings.iter().any(|warning| matches!(warning.kind, WarningKind::Crashed { .. }))
/// }
/// # let _check: fn(&Snapshot) -> bool = is_urgent;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum WarningKind {
    /// The record of the lock cannot be read, or is not as a record should be.
    Unreadable {
        /// What is wrong with the record, unescaped.
        problem: String,
    },
    /// A run ended with its lease and without a release: its node crashed, was cut off, or ran past the lease.
    Crashed {
        /// The node of the run, escaped for printing.
        node: String,
        /// How long ago the lease ended.
        ago: Duration,
    },
    /// The history of runs cannot be read. The runs in the snapshot are those that were read before.
    HistoryUnreadable {
        /// Why not, escaped for printing.
        problem: String,
    },
    /// The lock is held for much longer than any of its last runs took.
    HeldLong {
        /// How long the lock has been held.
        held_for: Duration,
        /// How long the longest of its last runs took.
        longest: Duration,
    },
    /// The last run did not complete.
    Failing {
        /// How the last run ended.
        outcome: &'static str,
        /// How many runs, the last one included, did not complete since one did.
        times: usize,
    },
    /// The clock that dates the records and the clock of the node that reads differ by more than a second.
    ClockDiffers {
        /// By how much, and in which direction.
        by: Duration,
        /// Whether the store's clock is ahead.
        is_ahead: bool,
    },
}

impl WarningKind {
    /// The word for this kind in JSON.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "unreadable",
            Self::Crashed { .. } => "crashed",
            Self::HistoryUnreadable { .. } => "history_unreadable",
            Self::HeldLong { .. } => "held_long",
            Self::Failing { .. } => "failing",
            Self::ClockDiffers { .. } => "clock_differs",
        }
    }
}

/// The warnings about one lock.
pub(crate) fn of_lock(row: &LockRow, now: SystemTime) -> Vec<Warning> {
    let unreadable = || {
        let problem = row.info.problem.clone()?;
        Some(WarningKind::Unreadable { problem })
    };
    [
        unreadable(),
        expired(row, now).or_else(|| crashed(&row.runs, now)),
        held_long(row),
        failing(&row.runs),
    ]
    .into_iter()
    .flatten()
    .map(|kind| Warning {
        kind,
        lock: Some(row.info.name.clone()),
    })
    .collect()
}

/// The warning about the clocks.
pub(crate) fn of_clocks(difference: ClockDifference) -> Option<Warning> {
    (difference.length() > MOST_DIFFERENCE).then(|| Warning {
        kind: WarningKind::ClockDiffers {
            by: difference.length(),
            is_ahead: matches!(difference, ClockDifference::Ahead(_)),
        },
        lock: None,
    })
}

/// The warning about a history that cannot be read.
pub(crate) fn of_history(error: &LockError) -> Warning {
    Warning {
        kind: WarningKind::HistoryUnreadable {
            problem: shedlock_runtime::printable(&error.to_string()).into_owned(),
        },
        lock: None,
    }
}

fn expired(row: &LockRow, now: SystemTime) -> Option<WarningKind> {
    let until = row.info.until.filter(|_| row.state == LockState::Expired)?;
    let ago = now.duration_since(until).unwrap_or_default();
    let node = row.info.node.clone();
    (ago < ABANDONED).then_some(WarningKind::Crashed { node, ago })
}

fn crashed(runs: &[RunRecord], now: SystemTime) -> Option<WarningKind> {
    let run = runs.iter().find(|run| run.outcome == RunOutcome::Crashed)?;
    let ago = now.duration_since(run.ended).unwrap_or_default();
    let node = run.node.clone();
    (ago < RECENT).then_some(WarningKind::Crashed { node, ago })
}

fn held_long(row: &LockRow) -> Option<WarningKind> {
    let held_for = row.held_for.filter(|_| row.state == LockState::Held)?;
    let completed = row
        .runs
        .iter()
        .filter(|run| run.outcome == RunOutcome::Completed);
    let took: Vec<Duration> = completed.map(RunRecord::took).collect();
    let longest = took
        .iter()
        .copied()
        .max()
        .filter(|_| took.len() >= FEWEST_RUNS)?;
    let limit = longest.max(Duration::from_secs(1)).saturating_mul(TOO_LONG);
    (held_for > limit).then_some(WarningKind::HeldLong { held_for, longest })
}

/// A run that was cancelled by a shutdown is no failure of the job.
fn failing(runs: &[RunRecord]) -> Option<WarningKind> {
    let mut ended = runs
        .iter()
        .filter(|run| run.outcome != RunOutcome::ShutDown);
    let is_bad =
        |run: &&RunRecord| !matches!(run.outcome, RunOutcome::Completed | RunOutcome::Crashed);
    let last = ended.next().filter(is_bad)?;
    let did_not_complete = |run: &&RunRecord| run.outcome != RunOutcome::Completed;
    let times = 1 + ended.take_while(did_not_complete).count();
    Some(WarningKind::Failing {
        outcome: last.outcome.as_str(),
        times,
    })
}

/// One line for an operator. The name of the lock is escaped.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(lock) = &self.lock {
            write!(f, "{}: ", shedlock_runtime::printable(lock))?;
        }
        match &self.kind {
            WarningKind::Unreadable { problem } => {
                write!(
                    f,
                    "the record is broken: {}",
                    shedlock_runtime::printable(problem)
                )
            }
            WarningKind::Crashed { node, ago } if node.is_empty() => {
                write!(f, "crashed {} ago", short_duration(*ago))
            }
            WarningKind::Crashed { node, ago } => {
                write!(f, "crashed on {node} {} ago", short_duration(*ago))
            }
            WarningKind::HistoryUnreadable { problem } => {
                write!(f, "the history of runs cannot be read: {problem}")
            }
            WarningKind::HeldLong { held_for, longest } => write!(
                f,
                "held for {}; the longest of its last runs took {}",
                short_duration(*held_for),
                short_duration(*longest)
            ),
            WarningKind::Failing { outcome, times: 1 } => {
                write!(f, "the last run {}", ended(outcome))
            }
            WarningKind::Failing { outcome, times } => {
                write!(
                    f,
                    "the last {times} runs did not complete; the last one {}",
                    ended(outcome)
                )
            }
            WarningKind::ClockDiffers { by, is_ahead } => write!(
                f,
                "the store's clock is {} {} this machine's",
                short_duration(*by),
                if *is_ahead { "ahead of" } else { "behind" }
            ),
        }
    }
}

fn ended(outcome: &str) -> &str {
    match outcome {
        "dropped" => "was dropped",
        "lost" => "lost its lock",
        other => other,
    }
}
