//! A record store in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::stores::record::{LockRecord, RecordStore, Snapshot, Written};
use crate::values::error::LockError;

/// A [`RecordStore`] in memory, whose records a test can read, write and remove without the provider.
///
/// Each call yields to other tasks before and after it touches the records, as a call to a server would. A clone shares the records.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_runtime::testing::InMemoryRecordStore;
/// use shedlock_runtime::{LockConfiguration, LockProviderExt as _, ProviderInfo, RecordLockProvider};
///
/// let store = InMemoryRecordStore::new();
/// let provider = RecordLockProvider::new(ProviderInfo::new("records"), store.clone());
/// let _lock = provider.try_lock(LockConfiguration::new("mail", "5m")?).await?.expect("is free");
/// assert!(store.get("mail").is_some());
///
/// // An operator with a shell deletes the record: the lock is free.
/// store.remove("mail");
/// assert!(provider.try_lock(LockConfiguration::new("mail", "5m")?).await?.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct InMemoryRecordStore(Arc<Mutex<Records>>);

#[derive(Debug, Default)]
struct Records {
    by_name: BTreeMap<String, (LockRecord, u64)>,
    /// One count for all names: a record that is made anew has no version that an earlier one had.
    last_version: u64,
}

impl Records {
    fn version(&self, name: &str) -> Option<&u64> {
        self.by_name.get(name).map(|(_, version)| version)
    }

    fn insert(&mut self, name: &str, record: LockRecord) -> u64 {
        self.last_version += 1;
        let stored = (record, self.last_version);
        self.by_name.insert(name.to_owned(), stored);
        self.last_version
    }
}

impl InMemoryRecordStore {
    /// A store without records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The record of the lock `name`, if there is one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<LockRecord> {
        let records = self.records();
        records.by_name.get(name).map(|(record, _)| record.clone())
    }

    /// All records, by name.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, LockRecord> {
        let records = self.records();
        let all = records.by_name.iter();
        all.map(|(name, (record, _))| (name.clone(), record.clone()))
            .collect()
    }

    /// Writes the record of the lock `name` without a condition, as a program that is not a lock provider could.
    pub fn insert(&self, name: &str, record: LockRecord) {
        self.records().insert(name, record);
    }

    /// Removes the record of the lock `name`, if there is one.
    pub fn remove(&self, name: &str) {
        self.records().by_name.remove(name);
    }

    async fn round_trip<T>(&self, work: impl FnOnce(&mut Records) -> T) -> Result<T, LockError> {
        tokio::task::yield_now().await;
        let answer = work(&mut self.records());
        tokio::task::yield_now().await;
        Ok(answer)
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RecordStore for InMemoryRecordStore {
    type Version = u64;

    async fn read(&self, name: &str) -> Result<Snapshot<u64>, LockError> {
        self.round_trip(|records| match records.by_name.get(name) {
            Some((record, version)) => Snapshot::record(record.clone(), *version),
            None => Snapshot::absent(),
        })
        .await
    }

    async fn write(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<&u64>,
    ) -> Result<Written<u64>, LockError> {
        self.round_trip(|records| {
            if records.version(name) != expected {
                return Written::Conflict;
            }
            Written::Done(records.insert(name, record.clone()))
        })
        .await
    }

    async fn delete(&self, name: &str, expected: &u64) -> Result<Written<()>, LockError> {
        self.round_trip(|records| {
            if records.version(name) != Some(expected) {
                return Written::Conflict;
            }
            records.by_name.remove(name);
            Written::Done(())
        })
        .await
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>, LockError> {
        tokio::task::yield_now().await;
        let records = self.records();
        let names = records
            .by_name
            .keys()
            .filter(|name| name.starts_with(prefix));
        Ok(names.cloned().collect())
    }
}
