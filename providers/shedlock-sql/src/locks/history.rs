//! The history of runs, in a table of its own.

mod operations;

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_runtime::{HistoryOptions, LockError, LockName, RunHistory, RunRecord, async_trait};

use super::once::{Context, micros};
use super::{LIMIT, SqlLocks};
use crate::driver::Driver;
use crate::names::Names;
use crate::statements::HistoryStatements;
use operations::{Append, DeleteOld, DeleteSurplus, ReadRuns};

pub(super) use operations::{CheckHistory, EnsureHistory};

/// One in so many entries also deletes old ones: those that end at a multiple of as many microseconds. So no state says when it is due, and it
/// also comes to pass in processes that run once, and for locks that run rarely.
const ENTRIES_PER_CLEAN_UP: i64 = 32;
/// The last moment that every database knows, in microseconds since 1970: the end of the year 9999.
const LATEST: i64 = 253_402_300_799_999_999;

/// Where the history is, and how much of it is kept.
#[derive(Debug, Clone)]
pub(super) struct History {
    names: Names,
    options: HistoryOptions,
}

impl History {
    pub(super) const fn new(names: Names, options: HistoryOptions) -> Self {
        Self { names, options }
    }

    fn statements<'c>(&self, context: &Context<'c>) -> &'c HistoryStatements {
        context.table.history(&self.names, context.is_shared)
    }
}

#[async_trait]
impl<D: Driver> RunHistory for SqlLocks<D> {
    async fn append(&self, run: &RunRecord) -> Result<(), LockError> {
        let Some(history) = &self.history else {
            return Ok(());
        };
        let limit = LIMIT / 10 * 9;
        self.ask(&Append { history, run }, limit).await?;
        if since_1970(run.ended) % ENTRIES_PER_CLEAN_UP == 0 {
            self.ask(&DeleteOld(history), limit).await?;
            let lock = &run.lock;
            self.ask(&DeleteSurplus { history, lock }, limit).await?;
        }
        Ok(())
    }

    async fn runs(
        &self,
        lock: &LockName,
        began: Range<SystemTime>,
    ) -> Result<Vec<RunRecord>, LockError> {
        let Some(history) = &self.history else {
            return Ok(Vec::new());
        };
        let read = ReadRuns {
            history,
            lock,
            began,
        };
        self.ask_within(LIMIT, &read).await
    }
}

/// The microseconds since 1970 as the tables keep them, at most those of a time that every database knows.
fn since_1970(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    micros(since).min(LATEST)
}

/// The bound of a range: the first time in the table that is not before `time`.
fn bound(time: SystemTime) -> i64 {
    since_1970(time.checked_add(Duration::from_nanos(999)).unwrap_or(time))
}
