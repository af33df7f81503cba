//! What an operator can do to locks in memory.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::{InMemoryLockProvider, Record};
use crate::observe::intervention::Intervention;
use crate::seam::admin::{LockAdmin, LockInfo, pause_length};
use crate::seam::provider::LockProvider as _;
use crate::values::clock::BootInstant;
use crate::values::error::{LockError, Operation};
use crate::values::name::LockName;
use crate::values::operator_mark::OperatorMark;

impl InMemoryLockProvider {
    /// The record as an operator sees it: records keep readings of the forward clock, people want the time of day.
    fn describe(&self, name: &LockName, record: &Record) -> LockInfo {
        let (now, utc) = (self.now(), self.info().clock().utc());
        let time_of_day = |instant: BootInstant| {
            let ahead = instant.saturating_since(now);
            let behind = now.saturating_since(instant);
            let late = utc.checked_add(ahead).unwrap_or(utc);
            late.checked_sub(behind).unwrap_or(SystemTime::UNIX_EPOCH)
        };
        let mark = record.mark.as_ref().map(ToString::to_string);
        LockInfo::new(
            name.as_str(),
            mark.as_deref().unwrap_or_default(),
            time_of_day(record.locked_at),
            time_of_day(record.free_since()),
            utc,
        )
        .with_token((record.token > 0).then_some(record.token))
    }
}

#[async_trait]
impl LockAdmin for InMemoryLockProvider {
    async fn list(&self) -> Result<Vec<LockInfo>, LockError> {
        let locks = self.locks();
        let infos = locks
            .records
            .iter()
            .map(|(name, record)| self.describe(name, record));
        Ok(infos.collect())
    }

    async fn get(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        let name = self.info.lock_name(Operation::Get, name)?;
        let locks = self.locks();
        let record = locks.records.get(&name);
        Ok(record.map(|record| self.describe(&name, record)))
    }

    async fn force_release(&self, name: &str, reason: &str) -> Result<bool, LockError> {
        let name = self.info.lock_name(Operation::ForceRelease, name)?;
        let now = self.now();
        let mut locks = self.locks();
        let record = locks.records.get_mut(&name);
        let Some(record) = record.filter(|record| record.lock_until > now) else {
            return Ok(false);
        };
        record.lock_until = now;
        let mark = OperatorMark::released(reason);
        record.mark = Some(Box::new(mark.clone()));
        drop(locks);
        Intervention::ForceReleased(mark.reason()).tell(&self.info, &name);
        Ok(true)
    }

    async fn pause(&self, name: &str, until: SystemTime, reason: &str) -> Result<(), LockError> {
        let name = self.info.lock_name(Operation::Pause, name)?;
        let left = pause_length(self.info.clock(), until)
            .map_err(|error| error.with_context(Operation::Pause, self.info.name(), Some(&name)))?;
        let mark = OperatorMark::paused(reason);
        let now = self.now();
        let mut locks = self.locks();
        locks.forget_free(now);
        let token = locks.records.get(&name).map_or(0, |record| record.token);
        let paused = Record {
            lock_until: now.saturating_add(left),
            locked_at: now,
            token,
            mark: Some(Box::new(mark.clone())),
        };
        locks.records.insert(name.clone(), paused);
        drop(locks);
        let reason = mark.reason();
        Intervention::Paused { until, reason }.tell(&self.info, &name);
        Ok(())
    }

    async fn resume(&self, name: &str) -> Result<bool, LockError> {
        let name = self.info.lock_name(Operation::Resume, name)?;
        let now = self.now();
        let mut locks = self.locks();
        let record = locks.records.get_mut(&name);
        let Some(record) = record.filter(|record| record.lock_until > now && record.is_paused())
        else {
            return Ok(false);
        };
        record.lock_until = now;
        drop(locks);
        Intervention::Resumed.tell(&self.info, &name);
        Ok(true)
    }

    async fn prune_prefix(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        self.info.check_prefix(Operation::Prune, prefix)?;
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
