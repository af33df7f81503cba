//! What an operator can do to locks in a database.

use std::time::Duration;

use async_trait::async_trait;
use shedlock_runtime::{LockError, LockInfo, LockName, LockRecords, Overrule, Selection};

use crate::database::SqlDatabase;
use crate::provider::SqlxLockProvider;

/// What changes the record of one lock is sent only once: after an error of the kinds `Timeout` and `Indeterminate` it may still be
/// carried out, and `get` says whether it was.
#[async_trait]
impl<DB: SqlDatabase> LockRecords for SqlxLockProvider<DB> {
    async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        self.locks.records(selection).await
    }

    async fn overrule(&self, name: &LockName, overrule: &Overrule<'_>) -> Result<bool, LockError> {
        self.locks.overrule(name, overrule).await
    }

    async fn forget(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        self.locks.forget(prefix, unused_for).await
    }
}
