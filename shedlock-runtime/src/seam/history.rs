//! What ran: one entry for each run, in stores that keep a history.

mod options;

use std::fmt;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::values::error::{ErrorKind, LockError};
use crate::values::moment::Moment;
use crate::values::name::LockName;
use crate::values::outcome::RunOutcome;
use crate::values::position::Position;
use crate::values::printable::{Printable, printable};
use crate::values::short_duration::short_duration;

pub use options::HistoryOptions;

/// The history of runs in a store: who ran what, when, for how long, and with which end.
///
/// A provider that keeps one returns it from [`LockProvider::run_history`](crate::LockProvider::run_history). The runtime adds an entry when a run
/// has ended, in the background, and an entry for a run whose node crashed when another node takes the lock over. A skip makes no entry.
/// Programs read the history with [`LockAdmin::history`](crate::LockAdmin::history).
///
/// # Contract
///
/// - [`append`](Self::append) is one request to the store, and more only when it also deletes. It does not touch the records of locks, and fails without harm to them.
/// - [`append`](Self::append) also deletes entries that are beyond the store's [`HistoryOptions`], at most a thousand a call; it may do so
///   only now and then. Many nodes may do so at the same time.
/// - Entries are never changed.
///
/// # Cancel safety
///
/// The runtime may drop a future at any await. The store may then have carried out the request.
///
/// # Examples
///
/// ```
/// use std::ops::Range;
/// use std::sync::Mutex;
/// use std::time::SystemTime;
///
/// use shedlock_runtime::{LockError, LockName, RunHistory, RunRecord, async_trait};
///
/// /// Keeps the last hundred runs of all locks.
/// #[derive(Debug, Default)]
/// struct LastHundred(Mutex<Vec<RunRecord>>);
///
/// #[async_trait]
/// impl RunHistory for LastHundred {
///     async fn append(&self, run: &RunRecord) -> Result<(), LockError> {
///         let mut runs = self.0.lock().unwrap();
///         runs.insert(0, run.clone());
///         runs.truncate(100);
///         Ok(())
///     }
///
///     async fn runs(&self, lock: &LockName, began: Range<SystemTime>) -> Result<Vec<RunRecord>, LockError> {
///         let runs = self.0.lock().unwrap();
///         Ok(runs.iter().filter(|run| run.lock == lock.as_str() && began.contains(&run.began)).cloned().collect())
///     }
/// }
/// ```
#[async_trait]
pub trait RunHistory: fmt::Debug + Send + Sync {
    /// Adds the entry of a run that has ended, and deletes some of what is too old or too much.
    async fn append(&self, run: &RunRecord) -> Result<(), LockError>;

    /// Reads the runs of `lock` that began within `began`, the latest first, at most [`RunRecord::MOST_READ`].
    async fn runs(
        &self,
        lock: &LockName,
        began: Range<SystemTime>,
    ) -> Result<Vec<RunRecord>, LockError>;
}

/// One run in a [`RunHistory`].
///
/// # Examples
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
///
/// use shedlock_runtime::{RunOutcome, RunRecord};
///
/// let began = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
/// let ended = began + Duration::from_secs(90);
/// let run = RunRecord::new("mail", "web-2", began..ended, RunOutcome::Failed).with_error("out of\npaper");
/// assert_eq!(run.error.as_deref(), Some("out of\\npaper"));
/// assert_eq!(run.to_string(), "mail: failed after 1m 30s on web-2, begun at 2023-11-14T22:13:20Z: out of\\npaper");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunRecord {
    /// The name of the lock, unescaped. Before you print it, escape it by [`printable`].
    pub lock: String,
    /// The slot, instant or step of the run, and how many runs had begun for it; `None` if the lock asks for none, or if the store does not
    /// tell.
    pub position: Option<Position>,
    /// The node that ran it, escaped by [`printable`].
    pub node: String,
    /// The fencing token of the run; `None` if the store keeps no fencing tokens.
    pub fencing_token: Option<u64>,
    /// When the lock was taken, by the clock of the node that ran it; for a run that crashed, by the clock that dates the records.
    pub began: SystemTime,
    /// When the run ended, by the same clock; for a run that crashed, when its lease ended.
    pub ended: SystemTime,
    /// How the run ended.
    pub outcome: RunOutcome,
    /// The error with which a run failed, escaped by [`printable`] and cut to 500 characters; `None` if there is none, if it is not known, or
    /// [if the history keeps no texts](HistoryOptions::without_error_texts).
    pub error: Option<String>,
}

impl RunRecord {
    /// How many runs one call of [`RunHistory::runs`] returns at most.
    pub const MOST_READ: usize = 1_000;
    /// How many entries one call of [`RunHistory::append`] deletes at most.
    pub const MOST_DELETED: usize = 1_000;
    /// How many characters of the text of an error are kept.
    pub const MAX_ERROR_CHARS: usize = 500;

    /// The run of a lock on `node`, from `ran.start` to `ran.end`.
    #[must_use]
    pub fn new(
        lock: impl Into<String>,
        node: &str,
        ran: Range<SystemTime>,
        outcome: RunOutcome,
    ) -> Self {
        Self {
            lock: lock.into(),
            position: None,
            node: printable(node).into_owned(),
            fencing_token: None,
            began: ran.start,
            ended: ran.end,
            outcome,
            error: None,
        }
    }

    /// Adds the slot, instant or step.
    #[must_use]
    pub const fn with_position(mut self, position: Option<Position>) -> Self {
        self.position = position;
        self
    }

    /// Adds the fencing token.
    #[must_use]
    pub const fn with_fencing_token(mut self, token: Option<u64>) -> Self {
        self.fencing_token = token;
        self
    }

    /// Adds the text of an error, escaped by [`printable`] and cut to 500 characters.
    #[must_use]
    pub fn with_error(mut self, error: &str) -> Self {
        self.error = Some(
            printable(error)
                .chars()
                .take(Self::MAX_ERROR_CHARS)
                .collect(),
        );
        self
    }

    /// How long the run took; zero if the clock was set back meanwhile.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.ended.duration_since(self.began).unwrap_or_default()
    }
}

/// One line for an operator. Names are escaped by [`printable`].
impl fmt::Display for RunRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} after {} on {}, begun at {}",
            Printable(&self.lock),
            self.outcome.as_str(),
            short_duration(self.took()),
            Printable(&self.node),
            Moment(self.began)
        )?;
        if let Some(position) = self.position {
            write!(f, ", position {}", position.number)?;
            if position.tries > 1 {
                write!(f, ", attempt {}", position.tries)?;
            }
        }
        if let Some(token) = self.fencing_token {
            write!(f, ", token {token}")?;
        }
        match &self.error {
            Some(error) => write!(f, ": {}", Printable(error)),
            None => Ok(()),
        }
    }
}

/// The error of a provider that keeps no history.
pub(crate) fn no_history() -> LockError {
    LockError::new(
        ErrorKind::Unsupported,
        "this provider keeps no history of runs",
    )
    .with_remedy("build the provider with a history, if it offers one")
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn an_error_is_cleaned_and_cut() {
        let ran = UNIX_EPOCH..UNIX_EPOCH;
        let run = RunRecord::new("mail", "web-2", ran, RunOutcome::Failed);
        let error = run.with_error(&"\u{202e}é".repeat(1000)).error.unwrap();
        assert_eq!(error.chars().count(), RunRecord::MAX_ERROR_CHARS);
        assert!(!error.contains('\u{202e}'));
    }
}
