//! How much of a history a store keeps.

use std::time::Duration;

use crate::values::duration::ToDuration;
use crate::values::error::{ErrorKind, LockError};

/// Entries of clocks that are this far apart may have to be compared.
const SHORTEST_AGE: Duration = Duration::from_secs(60);

/// How much of a history a store keeps: how long, and how many runs of each lock.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{HistoryOptions, InMemoryLockProvider};
///
/// let options = HistoryOptions::new().with_keep_for("90d")?.with_runs_per_lock(500)?;
/// let provider = InMemoryLockProvider::new().with_history(options);
/// # let _ = provider;
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryOptions {
    keep_for: Duration,
    runs_per_lock: usize,
    keeps_error_texts: bool,
}

impl Default for HistoryOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl HistoryOptions {
    /// Keeps each run for 30 days, and at most the last 1,000 runs of each lock, with the texts of errors.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            keep_for: Duration::from_secs(30 * 24 * 60 * 60),
            runs_per_lock: 1_000,
            keeps_error_texts: true,
        }
    }

    /// Sets how long a run is kept after its end.
    ///
    /// # Errors
    ///
    /// `keep_for` cannot be parsed, is longer than 36500 days, or is shorter than a minute: the clocks of nodes differ, and one node would
    /// delete what another has just written.
    pub fn with_keep_for(mut self, keep_for: impl ToDuration) -> Result<Self, LockError> {
        self.keep_for = keep_for.to_duration()?;
        if self.keep_for < SHORTEST_AGE {
            return Err(refused(
                "the history is to keep a run for less than a minute, which is less than clocks may differ",
                "keep runs for longer, or keep no history",
            ));
        }
        Ok(self)
    }

    /// Sets how many runs of each lock are kept.
    ///
    /// # Errors
    ///
    /// `runs` is zero.
    pub fn with_runs_per_lock(mut self, runs: usize) -> Result<Self, LockError> {
        if runs == 0 {
            return Err(refused(
                "the history is to keep no run of a lock",
                "keep one or more, or keep no history",
            ));
        }
        self.runs_per_lock = runs;
        Ok(self)
    }

    /// Keeps no texts of errors: they may contain what the job's data contain, and whoever may read the history reads them.
    #[must_use]
    pub const fn without_error_texts(mut self) -> Self {
        self.keeps_error_texts = false;
        self
    }

    /// Whether the texts of errors are kept.
    #[must_use]
    pub const fn keeps_error_texts(&self) -> bool {
        self.keeps_error_texts
    }

    /// How long a run is kept after its end.
    #[must_use]
    pub const fn keep_for(&self) -> Duration {
        self.keep_for
    }

    /// How many runs of each lock are kept.
    #[must_use]
    pub const fn runs_per_lock(&self) -> usize {
        self.runs_per_lock
    }
}

fn refused(problem: &str, remedy: &str) -> LockError {
    LockError::new(ErrorKind::Configuration, problem).with_remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_of_nothing_is_refused() {
        let options = HistoryOptions::new();
        let said = options.with_keep_for("59s").unwrap_err().to_string();
        assert!(said.contains("less than clocks may differ"), "{said}");
        assert!(options.with_runs_per_lock(0).is_err());
        assert!(options.with_keep_for("1m").is_ok());
    }
}
