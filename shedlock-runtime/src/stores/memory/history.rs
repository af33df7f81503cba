//! The history of runs in memory.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;

use crate::seam::history::{HistoryOptions, RunHistory, RunRecord};
use crate::values::error::LockError;
use crate::values::name::LockName;

/// The runs of all locks, bounded by its options.
#[derive(Debug)]
pub(super) struct History {
    options: HistoryOptions,
    runs: Mutex<Runs>,
}

#[derive(Debug, Default)]
struct Runs {
    last: u64,
    /// By a number that grows, so that the first ones are the oldest.
    by_number: BTreeMap<u64, RunRecord>,
    /// The numbers of each lock's runs, the oldest first.
    of_lock: BTreeMap<String, VecDeque<u64>>,
}

impl History {
    pub(super) fn new(options: HistoryOptions) -> Self {
        Self {
            options,
            runs: Mutex::default(),
        }
    }

    fn with_runs<T>(&self, with: impl FnOnce(&mut Runs) -> T) -> T {
        // Nothing panics while this mutex is locked.
        with(&mut self.runs.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Runs {
    fn add(&mut self, run: RunRecord) {
        self.last += 1;
        let numbers = self.of_lock.entry(run.lock.clone()).or_default();
        numbers.push_back(self.last);
        self.by_number.insert(self.last, run);
    }

    /// Deletes the oldest run of `lock`.
    fn delete_oldest_of(&mut self, lock: &str) {
        let Some(numbers) = self.of_lock.get_mut(lock) else {
            return;
        };
        if let Some(number) = numbers.pop_front() {
            self.by_number.remove(&number);
        }
        if numbers.is_empty() {
            self.of_lock.remove(lock);
        }
    }

    /// Deletes what is too old or too much, up to a limit.
    fn clean(&mut self, options: HistoryOptions, lock: &str, now: SystemTime) {
        let is_old = |run: &RunRecord| {
            let age = now.duration_since(run.ended);
            age.is_ok_and(|age| age > options.keep_for())
        };
        for _ in 0..RunRecord::MOST_DELETED {
            let oldest = self.by_number.first_key_value();
            let old = oldest.filter(|(_, run)| is_old(run)).map(|(_, run)| run);
            let surplus = self.of_lock.get(lock).map_or(0, VecDeque::len) > options.runs_per_lock();
            match (old, surplus) {
                (Some(run), _) => {
                    let of = run.lock.clone();
                    self.delete_oldest_of(&of);
                }
                (None, true) => self.delete_oldest_of(lock),
                (None, false) => return,
            }
        }
    }
}

#[async_trait]
impl RunHistory for History {
    async fn append(&self, run: &RunRecord) -> Result<(), LockError> {
        let mut run = run.clone();
        if !self.options.keeps_error_texts() {
            run.error = None;
        }
        self.with_runs(|runs| {
            let (lock, ended) = (run.lock.clone(), run.ended);
            runs.add(run);
            runs.clean(self.options, &lock, ended);
        });
        Ok(())
    }

    async fn runs(
        &self,
        lock: &LockName,
        began: Range<SystemTime>,
    ) -> Result<Vec<RunRecord>, LockError> {
        let mut found: Vec<RunRecord> = self.with_runs(|runs| {
            let numbers = runs.of_lock.get(lock.as_str()).into_iter().flatten();
            let all = numbers
                .rev()
                .filter_map(|number| runs.by_number.get(number));
            all.filter(|run| began.contains(&run.began))
                .cloned()
                .collect()
        });
        // Not sorted yet: a run that crashed is entered later than its lease ended.
        found.sort_by_key(|run| std::cmp::Reverse(run.began));
        found.truncate(RunRecord::MOST_READ);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::values::outcome::RunOutcome;

    fn at(minute: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(60 * minute)
    }

    async fn add(history: &History, lock: &str, minute: u64) {
        let run = RunRecord::new(lock, "web-2", at(minute)..at(minute), RunOutcome::Completed);
        history.append(&run).await.unwrap();
    }

    async fn minutes(history: &History, lock: &str) -> Vec<u64> {
        let lock = LockName::new(lock).unwrap();
        let runs = history.runs(&lock, at(0)..at(u64::from(u32::MAX))).await;
        let minute = |run: &RunRecord| run.began.duration_since(UNIX_EPOCH).unwrap().as_secs() / 60;
        runs.unwrap().iter().map(minute).collect()
    }

    #[tokio::test]
    async fn only_the_last_runs_of_each_lock_are_kept() {
        let history = History::new(HistoryOptions::new().with_runs_per_lock(2).unwrap());
        for minute in 1..=5 {
            add(&history, "a", minute).await;
            add(&history, "b", minute).await;
        }
        assert_eq!(minutes(&history, "a").await, [5, 4]);
        assert_eq!(minutes(&history, "b").await, [5, 4]);
        assert_eq!(history.with_runs(|runs| runs.by_number.len()), 4);
    }

    #[tokio::test]
    async fn whoever_ends_a_run_deletes_the_old_ones_of_all_locks_up_to_a_limit() {
        let options = HistoryOptions::new().with_keep_for("10m").unwrap();
        let history = History::new(options.with_runs_per_lock(5_000).unwrap());
        for _ in 0..1_500 {
            add(&history, "a", 1).await;
        }
        add(&history, "b", 11).await;
        assert_eq!(history.with_runs(|runs| runs.by_number.len()), 1_501);
        add(&history, "b", 12).await;
        assert_eq!(history.with_runs(|runs| runs.by_number.len()), 502);
        add(&history, "b", 13).await;
        assert_eq!(minutes(&history, "b").await, [13, 12, 11]);
        assert_eq!(history.with_runs(|runs| runs.of_lock.len()), 1);
    }
}
