//! What an operator can do to locks in a database.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use shedlock_runtime::{
    Intervention, LockAdmin, LockError, LockInfo, LockName, Operation, OperatorMark, pause_length,
};
use shedlock_sql::{Overrule, Records};

use crate::database::SqlDatabase;
use crate::provider::SqlxLockProvider;

impl<DB: SqlDatabase> SqlxLockProvider<DB> {
    async fn overrule(
        &self,
        operation: Operation,
        lock: &LockName,
        how: Overrule<'_>,
    ) -> Result<bool, LockError> {
        let changed = self.locks.overrule(lock, &how).await;
        changed.map_err(|error| self.in_context(error, operation, Some(lock)))
    }
}

/// What changes the record of one lock is sent only once: after an error of the kinds `Timeout` and `Indeterminate` it may still be
/// carried out, and `get` says whether it was.
#[async_trait]
impl<DB: SqlDatabase> LockAdmin for SqlxLockProvider<DB> {
    async fn list(&self) -> Result<Vec<LockInfo>, LockError> {
        let locks = self.locks.records(Records::Prefix("")).await;
        let mut locks = locks.map_err(|error| self.in_context(error, Operation::List, None))?;
        // By us: each server has an order of its own.
        locks.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(locks)
    }

    async fn get(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        let lock = self.locks.info().lock_name(Operation::Get, name)?;
        let found = self.locks.records(Records::One(&lock)).await;
        let found = found.map_err(|error| self.in_context(error, Operation::Get, Some(&lock)));
        Ok(found?.pop())
    }

    async fn force_release(&self, name: &str, reason: &str) -> Result<bool, LockError> {
        let operation = Operation::ForceRelease;
        let lock = self.locks.info().lock_name(operation, name)?;
        let mark = OperatorMark::released(reason);
        let text = mark.to_string();
        let release = Overrule::Release { mark: &text };
        let freed = self.overrule(operation, &lock, release).await?;
        if freed {
            Intervention::ForceReleased(mark.reason()).tell(self.locks.info(), &lock);
        }
        Ok(freed)
    }

    async fn pause(&self, name: &str, until: SystemTime, reason: &str) -> Result<(), LockError> {
        let info = self.locks.info();
        let lock = info.lock_name(Operation::Pause, name)?;
        pause_length(info.clock(), until)
            .map_err(|error| self.in_context(error, Operation::Pause, Some(&lock)))?;
        let mark = OperatorMark::paused(reason);
        let text = mark.to_string();
        let pause = Overrule::Pause { mark: &text, until };
        self.overrule(Operation::Pause, &lock, pause).await?;
        let reason = mark.reason();
        Intervention::Paused { until, reason }.tell(info, &lock);
        Ok(())
    }

    async fn resume(&self, name: &str) -> Result<bool, LockError> {
        let lock = self.locks.info().lock_name(Operation::Resume, name)?;
        let resumed = self.overrule(Operation::Resume, &lock, Overrule::Resume);
        let resumed = resumed.await?;
        if resumed {
            Intervention::Resumed.tell(self.locks.info(), &lock);
        }
        Ok(resumed)
    }

    async fn prune_prefix(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        self.locks.info().check_prefix(Operation::Prune, prefix)?;
        let forgotten = self.locks.forget(prefix, unused_for).await;
        forgotten.map_err(|error| self.in_context(error, Operation::Prune, None))
    }
}
