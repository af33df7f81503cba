//! What a store knew at one moment.

use std::fmt;
use std::time::{Duration, SystemTime};

use shedlock_runtime::{LockInfo, RunOutcome, RunRecord};

use crate::warnings::Warning;

/// All locks of a store at one moment, and what looks wrong with them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Snapshot {
    /// The name of the provider, such as `redis`.
    pub provider: &'static str,
    /// The name of the node that reads the store.
    pub node: String,
    /// When the answer of the store had arrived, by the clock of the node that reads.
    pub read_at: SystemTime,
    /// How long the store took to answer, network included.
    pub round_trip: Duration,
    /// How the clock that dates the records differs from the clock of the node that reads; `None` if no lock is held at this moment, or if the store
    /// does not date its records.
    pub clock_difference: Option<ClockDifference>,
    /// Whether the provider keeps a history of runs. Without one, [`LockRow::runs`] is empty.
    pub keeps_history: bool,
    /// What looks wrong, the worst first.
    pub warnings: Vec<Warning>,
    /// The locks, sorted by the bytes of their names.
    pub locks: Vec<LockRow>,
}

/// One lock in a [`Snapshot`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LockRow {
    /// What the store's record of the lock says.
    pub info: LockInfo,
    /// What the record and the history of runs mean together.
    pub state: LockState,
    /// How long the lock has been held, by the clock that dates the records; `None` for a free lock, and if the store does not tell.
    pub held_for: Option<Duration>,
    /// The last runs of the lock, the latest first.
    pub runs: Vec<RunRecord>,
}

/// The state of a lock in a [`Snapshot`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LockState {
    /// The record cannot be read.
    Unreadable,
    /// A node holds the lock.
    Held,
    /// The run has ended, and its `at_least` keeps the lock taken. Only a history of runs with fencing tokens tells.
    AtLeast,
    /// An operator has paused the lock.
    Paused,
    /// Nobody holds the lock.
    Free,
}

/// How much the clock that dates a store's records differs from the clock of the node that reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClockDifference {
    /// The store's clock shows a later time, by this much.
    Ahead(Duration),
    /// The store's clock shows an earlier time, by this much.
    Behind(Duration),
}

impl Snapshot {
    /// The lock `name`; `None` if the store has no record of it.
    #[must_use]
    pub fn lock(&self, name: &str) -> Option<&LockRow> {
        let found = self.locks.binary_search_by(|row| row.info.name.as_str().cmp(name));
        found.ok().map(|at| &self.locks[at])
    }

    /// The time of the store's clock when the store was read; `None` if [`clock_difference`](Self::clock_difference) is not known.
    #[must_use]
    pub fn store_time(&self) -> Option<SystemTime> {
        match self.clock_difference? {
            ClockDifference::Ahead(by) => self.read_at.checked_add(by),
            ClockDifference::Behind(by) => self.read_at.checked_sub(by),
        }
    }
}

impl LockRow {
    pub(crate) fn new(
        info: LockInfo,
        runs: Vec<RunRecord>,
        store_time: Option<SystemTime>,
    ) -> Self {
        let state = LockState::of(&info, runs.first());
        let held_for = match (info.since, store_time) {
            (Some(since), Some(now)) if info.is_held() => now.duration_since(since).ok(),
            _ => None,
        };
        Self {
            info,
            state,
            held_for,
            runs,
        }
    }

    /// The whole length of the lease: what has passed of the lease and what is left; `None` for a free lock, and if the store does not tell.
    #[must_use]
    pub fn lease(&self) -> Option<Duration> {
        self.held_for
            .map(|held| held.saturating_add(self.info.remaining))
    }
}

impl LockState {
    fn of(info: &LockInfo, latest: Option<&RunRecord>) -> Self {
        if info.paused {
            return Self::Paused;
        }
        if !info.is_held() {
            return match info.problem {
                Some(_) => Self::Unreadable,
                None => Self::Free,
            };
        }
        let has_ended = |run: &RunRecord| {
            run.outcome != RunOutcome::Crashed
                && run.fencing_token.is_some()
                && run.fencing_token == info.fencing_token
        };
        if latest.is_some_and(has_ended) {
            Self::AtLeast
        } else {
            Self::Held
        }
    }

    /// The word for this state on the page, in JSON and in filters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Held => "held",
            Self::AtLeast => "at_least",
            Self::Paused => "paused",
            Self::Free => "free",
        }
    }
}

/// The word of [`as_str`](LockState::as_str).
impl fmt::Display for LockState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ClockDifference {
    /// The difference between `store`, a time of the store's clock, and `here`, this node's time of the same moment.
    pub(crate) fn between(store: SystemTime, here: SystemTime) -> Self {
        match store.duration_since(here) {
            Ok(by) => Self::Ahead(by),
            Err(behind) => Self::Behind(behind.duration()),
        }
    }

    /// The length of the difference, in whichever direction.
    #[must_use]
    pub const fn length(self) -> Duration {
        match self {
            Self::Ahead(by) | Self::Behind(by) => by,
        }
    }
}
