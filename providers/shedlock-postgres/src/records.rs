//! The operations of an operator on the records of locks.

use std::time::Duration;

use async_trait::async_trait;
use shedlock_runtime::{LockError, LockInfo, LockName, LockRecords, Overrule, Selection};

use crate::provider::PostgresLockProvider;

/// The statement of `overrule` is sent only once. After an error of the kinds `Timeout` and `Indeterminate`, the statement may still be
/// executed; read the record with `get` to find out.
#[async_trait]
impl LockRecords for PostgresLockProvider {
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
