//! What an operator can do to the records of a compare-and-swap store.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::{Conflict, LockRecord, RecordLockProvider, RecordStore, Version, next_token};
use crate::observe::intervention::Intervention;
use crate::seam::admin::{LockAdmin, LockInfo, pause_length};
use crate::values::error::{ErrorKind, LockError, Operation};
use crate::values::name::LockName;
use crate::values::operator_mark::OperatorMark;

/// A [`RecordStore`] that can say which records it has, and delete one on condition that it is unchanged.
///
/// These two make a [`LockAdmin`] of its [`RecordLockProvider`].
///
/// # Cancel safety
///
/// As for [`LockProvider`](crate::LockProvider).
#[async_trait]
pub trait RecordCatalogue: RecordStore {
    /// The names of all locks that have a record, in any order.
    async fn names(&self) -> Result<Vec<String>, LockError>;

    /// Deletes the record of lock `name` if it still has version `expected`. One that is gone already is a [`Conflict`].
    ///
    /// A record that is made anew must not get a version that an earlier one of this name had: a write on its way that
    /// expects that one would take the lock from its holder.
    async fn delete_if(
        &self,
        name: &str,
        expected: Version,
    ) -> Result<Result<(), Conflict>, LockError>;
}

impl<S: RecordCatalogue> RecordLockProvider<S> {
    /// Adds what was being done.
    fn told<T>(
        &self,
        result: Result<T, LockError>,
        operation: Operation,
        lock: Option<&LockName>,
    ) -> Result<T, LockError> {
        result.map_err(|error| error.with_context(operation, self.info.name(), lock))
    }

    /// What the record of `name` says, if it has one.
    async fn describe(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        let Some((record, _)) = self.store.read(name).await? else {
            return Ok(None);
        };
        let (since, until) = (record.locked_at, record.lock_until);
        let info = LockInfo::new(name, &record.locked_by, since, until, self.now());
        let token = record.fencing_token;
        Ok(Some(info.with_token((token > 0).then_some(token))))
    }

    async fn list_all(&self) -> Result<Vec<LockInfo>, LockError> {
        let mut names = self.store.names().await?;
        names.sort_unstable();
        names.dedup();
        let mut infos = Vec::with_capacity(names.len());
        for name in names {
            match self.describe(&name).await {
                Ok(info) => infos.extend(info),
                // One record that cannot be read must not hide all others.
                Err(error) if is_about_the_record(&error) => {
                    let never = SystemTime::UNIX_EPOCH;
                    let info = LockInfo::new(name, "", never, never, never);
                    infos.push(info.with_problem(error.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(infos)
    }

    async fn prune_some(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        let mut pruned = 0;
        let names = self.store.names().await?.into_iter();
        for name in names.filter(|name| name.starts_with(prefix)) {
            let (record, version) = match self.store.read(&name).await {
                Ok(Some(found)) => found,
                Ok(None) => continue,
                Err(error) if is_about_the_record(&error) => continue,
                Err(error) => return Err(error),
            };
            let free_for = self.now().duration_since(record.lock_until);
            if free_for.is_ok_and(|free_for| free_for >= unused_for) {
                let deleted = self.store.delete_if(&name, version).await?;
                pruned += u64::from(deleted.is_ok());
            }
        }
        Ok(pruned)
    }
}

/// Whether one record is bad, rather than the store.
fn is_about_the_record(error: &LockError) -> bool {
    matches!(error.kind(), ErrorKind::Schema | ErrorKind::Other)
}

#[async_trait]
impl<S: RecordCatalogue> LockAdmin for RecordLockProvider<S> {
    async fn list(&self) -> Result<Vec<LockInfo>, LockError> {
        self.told(self.list_all().await, Operation::List, None)
    }

    async fn get(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        let name = self.info.lock_name(Operation::Get, name)?;
        let described = self.describe(name.as_str()).await;
        self.told(described, Operation::Get, Some(&name))
    }

    async fn force_release(&self, name: &str, reason: &str) -> Result<bool, LockError> {
        let name = self.info.lock_name(Operation::ForceRelease, name)?;
        let mark = OperatorMark::released(reason);
        let freed = self.change(&name, |found, now| {
            let held = found.filter(|record| record.is_held(now));
            Ok(held.map(|record| LockRecord {
                lock_until: now,
                locked_by: mark.to_string(),
                ..record
            }))
        });
        let freed = self.told(freed.await, Operation::ForceRelease, Some(&name))?;
        if freed {
            Intervention::ForceReleased(mark.reason()).tell(&self.info, &name);
        }
        Ok(freed)
    }

    async fn pause(&self, name: &str, until: SystemTime, reason: &str) -> Result<(), LockError> {
        let name = self.info.lock_name(Operation::Pause, name)?;
        self.told(
            pause_length(self.info.clock(), until),
            Operation::Pause,
            Some(&name),
        )?;
        let mark = OperatorMark::paused(reason);
        let paused = self.change(&name, |found, now| {
            let token = found.map_or_else(|| next_token(0, now), |record| record.fencing_token);
            Ok(Some(LockRecord::new(until, now, mark.to_string(), token)))
        });
        self.told(paused.await, Operation::Pause, Some(&name))?;
        let reason = mark.reason();
        Intervention::Paused { until, reason }.tell(&self.info, &name);
        Ok(())
    }

    async fn resume(&self, name: &str) -> Result<bool, LockError> {
        let name = self.info.lock_name(Operation::Resume, name)?;
        let resumed = self.change(&name, |found, now| {
            let paused = found.filter(|record| {
                let mark = OperatorMark::parse(&record.locked_by);
                record.is_held(now) && mark.is_some_and(|mark| mark.is_pause())
            });
            Ok(paused.map(|record| LockRecord {
                lock_until: now,
                ..record
            }))
        });
        let resumed = self.told(resumed.await, Operation::Resume, Some(&name))?;
        if resumed {
            Intervention::Resumed.tell(&self.info, &name);
        }
        Ok(resumed)
    }

    async fn prune_prefix(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        self.info.check_prefix(Operation::Prune, prefix)?;
        let pruned = self.prune_some(prefix, unused_for).await;
        self.told(pruned, Operation::Prune, None)
    }
}
