//! The toy's history of runs, with a place for each bug.

use std::ops::Range;
use std::time::SystemTime;

use shedlock_runtime::{LockError, LockName, RunHistory, RunOutcome, RunRecord, async_trait};

use super::Bug;
use super::provider::Toy;

#[async_trait]
impl RunHistory for Toy {
    async fn append(&self, run: &RunRecord) -> Result<(), LockError> {
        self.request().await?;
        let mut run = run.clone();
        if self.has(Bug::HistoryForgetsErrors) {
            run.error = None;
        }
        if self.has(Bug::HistoryKnowsTwoOutcomes) && run.outcome != RunOutcome::Completed {
            run.outcome = RunOutcome::Failed;
        }
        let before = self.world.runs().clone();
        if self.has(Bug::HistoryOverwrites) {
            // It reads all, and writes all back.
            self.world.reply().await;
            *self.world.runs() = before;
        }
        let mut runs = self.world.runs();
        if self.has(Bug::HistoryForgetsOldEntriesAtOnce) {
            runs.retain(|other| other.lock != run.lock);
        }
        runs.push(run);
        Ok(())
    }

    async fn runs(
        &self,
        lock: &LockName,
        began: Range<SystemTime>,
    ) -> Result<Vec<RunRecord>, LockError> {
        self.request().await?;
        let is_of = |run: &RunRecord| {
            let in_range = began.contains(&run.began) || self.has(Bug::HistoryIgnoresTheRange);
            in_range && (run.lock == lock.as_str() || self.has(Bug::HistoryMixesLocks))
        };
        let mut runs: Vec<_> = self
            .world
            .runs()
            .iter()
            .filter(|run| is_of(run))
            .cloned()
            .collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.began));
        Ok(runs)
    }
}
