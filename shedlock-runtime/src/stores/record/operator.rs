//! Reads and changes records for operators, in a store that compares and swaps.

use std::future::ready;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::acquire::next_token;
use super::change::{MOST_RACES, raced, unreadable};
use super::time::{rounded_down, rounded_up};
use super::{
    AT_ONCE, Found, LockRecord, RecordLockProvider, RecordStore, Snapshot, Written,
    read_among_others,
};
use crate::seam::lock_info::LockInfo;
use crate::seam::records::{LockRecords, Overrule, Selection};
use crate::values::error::LockError;
use crate::values::name::LockName;
use crate::values::operator_mark::OperatorMark;

/// The greatest number of records that one call deletes.
const MOST_FORGOTTEN: usize = 1_000;

impl<S: RecordStore> RecordLockProvider<S> {
    /// What operators see of the record of `name`; `None` if there is no record.
    fn describe(&self, name: &str, snapshot: &Snapshot<S::Version>) -> Option<LockInfo> {
        match &snapshot.found {
            Found::Absent(_) => None,
            Found::Unreadable(problem) => Some(LockInfo::unreadable(name, problem)),
            Found::Record(record, version) => {
                let now = snapshot.now(&self.info);
                let (since, until) = (Some(record.locked_at), record.lock_until);
                let info = LockInfo::from_record(name, &record.locked_by, since, until, now);
                let info = info.with_fencing_token(self.token(record, version));
                Some(info.with_position(record.position))
            }
        }
    }
}

impl<S: RecordStore> RecordLockProvider<S> {
    /// Deletes the record of `name` if it has been free for `unused_for`, and counts that down from `left` unless that is zero. The record
    /// is read unless it is in `listed`.
    async fn forget_one(
        &self,
        name: String,
        listed: Option<Snapshot<S::Version>>,
        unused_for: Duration,
        left: &AtomicUsize,
    ) -> Result<bool, LockError> {
        let snapshot = match listed {
            Some(snapshot) => snapshot,
            None => read_among_others(&*self.store, &name).await?,
        };
        let now = snapshot.now(&self.info);
        let Found::Record(record, version) = snapshot.found else {
            return Ok(false);
        };
        let free_for = now.duration_since(record.lock_until);
        let is_old = free_for.is_ok_and(|free_for| free_for >= unused_for);
        let one_less = |left: usize| left.checked_sub(1);
        let relaxed = Ordering::Relaxed;
        if !is_old || left.fetch_update(relaxed, relaxed, one_less).is_err() {
            return Ok(false);
        }
        Ok(self.store.delete(&name, &version).await? == Written::Done(()))
    }
}

/// The record after `overrule`, or `None` if `overrule` does not apply to the record.
fn overruled(
    overrule: &Overrule<'_>,
    found: Option<LockRecord>,
    now: SystemTime,
    grain: Duration,
) -> Result<Option<LockRecord>, LockError> {
    let ended = rounded_down(now, grain);
    let is_taken = |record: &LockRecord| !record.remaining(now).is_zero();
    Ok(match overrule {
        Overrule::Release { mark } => found.filter(is_taken).map(|record| LockRecord {
            lock_until: ended,
            locked_by: mark.to_string(),
            ..record
        }),
        Overrule::Resume => {
            let is_pause = |owner: &str| OperatorMark::parse(owner).is_some_and(|it| it.is_pause());
            let paused = found.filter(|record| is_taken(record) && is_pause(&record.locked_by));
            paused.map(|record| LockRecord {
                lock_until: ended,
                ..record
            })
        }
        Overrule::Pause { mark, until } => {
            Overrule::pause_length(*until, now)?;
            let position = found.as_ref().and_then(|record| record.position);
            let token = found.map_or_else(|| next_token(0, now), |record| record.fencing_token);
            // Rounded up, so that the pause does not end early in a store with a coarse grain of times.
            let until = rounded_up(*until, grain).unwrap_or(*until);
            let paused = LockRecord::new(until, ended, mark.to_string(), token);
            Some(LockRecord { position, ..paused })
        }
    })
}

#[async_trait]
impl<S: RecordStore> LockRecords for RecordLockProvider<S> {
    async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        let found = match selection {
            Selection::Name(name) => {
                let name = name.as_str();
                vec![(name.to_owned(), self.store.read(name).await?)]
            }
            Selection::Prefix(prefix) => self.store.list(prefix).await?,
        };
        let describe =
            |(name, snapshot): &(String, Snapshot<S::Version>)| self.describe(name, snapshot);
        Ok(found.iter().filter_map(describe).collect())
    }

    async fn overrule(&self, name: &LockName, overrule: &Overrule<'_>) -> Result<bool, LockError> {
        let name = name.as_str();
        let mut written_before: Option<LockRecord> = None;
        let mut meant: Option<LockRecord> = None;
        for _ in 0..MOST_RACES {
            let snapshot = self.store.read(name).await?;
            let now = snapshot.now(&self.info);
            let (found, version) = match snapshot.found {
                Found::Absent(version) => (None, version),
                Found::Record(mut record, version) => {
                    record.fencing_token = self.token(&record, &version).unwrap_or_default();
                    (Some(record), Some(version))
                }
                Found::Unreadable(problem) => return Err(unreadable(problem)),
            };
            // A client of the store that retries a write by itself may answer "conflict" although the first attempt was carried out.
            if written_before.is_some() && written_before == found {
                return Ok(true);
            }
            // The hold that was to end has ended, and whoever is there now has come since.
            let is_meant = |meant| found.as_ref().is_some_and(|it| it.is_same_hold(meant));
            if !matches!(overrule, Overrule::Pause { .. }) && !meant.as_ref().is_none_or(is_meant) {
                return Ok(true);
            }
            meant = meant.or_else(|| found.clone());
            let Some(record) = overruled(overrule, found, now, self.grain())? else {
                return Ok(false);
            };
            let written = self.store.write(name, &record, version.as_ref()).await?;
            if matches!(written, Written::Done(_)) {
                return Ok(true);
            }
            written_before = Some(record);
        }
        Err(raced())
    }

    async fn forget(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        let mut names = if self.store.lists_contents() {
            let listed = self.store.list(prefix).await?.into_iter();
            listed.map(|(name, found)| (name, Some(found))).collect()
        } else {
            let names = self.store.names(prefix).await?.into_iter();
            names.map(|name| (name, None)).collect::<Vec<_>>()
        };
        // Each call begins elsewhere: if it is cut off among young records, the next one must not be cut off among the same.
        let first = RandomState::new().hash_one(()) % names.len().max(1) as u64;
        names.rotate_left(usize::try_from(first).unwrap_or_default());
        let left = &AtomicUsize::new(MOST_FORGOTTEN);
        stream::iter(names)
            .take_while(|_| ready(left.load(Ordering::Relaxed) > 0))
            .map(|(name, listed)| self.forget_one(name, listed, unused_for, left))
            .buffer_unordered(AT_ONCE)
            .try_fold(0, |sum, deleted| ready(Ok(sum + u64::from(deleted))))
            .await
    }
}
