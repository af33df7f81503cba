//! Reading and changing the locks in memory as an operator.

use std::time::Duration;

use async_trait::async_trait;

use super::{InMemoryLockProvider, Record};
use crate::seam::lock_info::LockInfo;
use crate::seam::provider::LockProvider as _;
use crate::seam::records::{LockRecords, Overrule, Selection};
use crate::values::error::LockError;
use crate::values::name::LockName;
use crate::values::operator_mark::OperatorMark;

impl InMemoryLockProvider {
    /// The record as an operator sees it: the times of the record, which are readings of the forward clock, become times of day.
    fn describe(&self, name: &LockName, record: &Record) -> LockInfo {
        let time_of_day = self.time_of_day();
        let mark = record.mark.as_ref().map(ToString::to_string);
        LockInfo::from_record(
            name.as_str(),
            mark.as_deref().unwrap_or_default(),
            Some(time_of_day(record.locked_at)),
            time_of_day(record.free_since()),
            self.info().clock().utc(),
        )
        .with_fencing_token((record.token > 0).then_some(record.token))
        .with_position(record.position)
        .with_released(record.mark.is_none().then_some(record.is_released))
    }

    /// Ends the lease or pause of a lock now, if `wanted` accepts the lock's record.
    fn end(
        &self,
        name: &LockName,
        wanted: impl Fn(&Record) -> bool,
        mark: Option<&OperatorMark>,
    ) -> bool {
        let now = self.now();
        let mut locks = self.locks();
        let record = locks.records.get_mut(name);
        let Some(record) = record.filter(|record| record.lock_until > now && wanted(record)) else {
            return false;
        };
        record.lock_until = now;
        if let Some(mark) = mark {
            record.mark = Some(Box::new(mark.clone()));
        }
        true
    }

    fn pause_for(&self, name: &LockName, length: Duration, mark: &OperatorMark) {
        let now = self.now();
        let mut locks = self.locks();
        locks.forget_free(now);
        let found = locks.records.get(name);
        let token = found.map_or(0, |record| record.token);
        let position = found.and_then(|record| record.position);
        let paused = Record {
            lock_until: now.saturating_add(length),
            locked_at: now,
            not_free_before: now,
            token,
            mark: Some(Box::new(mark.clone())),
            is_released: false,
            position,
        };
        locks.records.insert(name.clone(), paused);
    }
}

#[async_trait]
impl LockRecords for InMemoryLockProvider {
    async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        let locks = self.locks();
        let infos = locks
            .records
            .iter()
            .filter(|(name, _)| selection.contains(name.as_str()))
            .map(|(name, record)| self.describe(name, record));
        Ok(infos.collect())
    }

    async fn overrule(&self, name: &LockName, overrule: &Overrule<'_>) -> Result<bool, LockError> {
        Ok(match overrule {
            Overrule::Release { mark } => self.end(name, |_| true, Some(mark)),
            Overrule::Resume => self.end(name, Record::is_paused, None),
            Overrule::Pause { mark, until } => {
                let length = Overrule::pause_length(*until, self.info.clock().utc())?;
                self.pause_for(name, length, mark);
                true
            }
        })
    }

    async fn forget(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        let now = self.now();
        let mut locks = self.locks();
        let before = locks.records.len();
        locks.records.retain(|name, record| {
            !name.as_str().starts_with(prefix)
                || record.lock_until > now
                || now.saturating_since(record.free_since()) < unused_for
        });
        Ok((before - locks.records.len()) as u64)
    }
}
