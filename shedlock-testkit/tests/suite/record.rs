//! A store that can compare and swap, and no more, behind the runtime's `RecordLockProvider`.

use std::collections::HashMap;
use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use shedlock_runtime::{
    Conflict, LockAdmin, LockError, LockProvider, LockRecord, ProviderInfo, RecordCatalogue,
    RecordLockProvider, RecordStore, Version, async_trait,
};
use shedlock_testkit::conformance::{Capabilities, Fencing, Harness, Peek, StoreClock, Stored};

#[derive(Debug, Clone, Default)]
struct Records(
    Arc<Mutex<HashMap<String, (LockRecord, u64)>>>,
    Arc<AtomicU64>,
);

#[async_trait]
impl RecordStore for Records {
    async fn read(&self, name: &str) -> Result<Option<(LockRecord, Version)>, LockError> {
        // Others get their turn between a read and a write, as they do with a store that is elsewhere.
        tokio::task::yield_now().await;
        let found = self.0.lock().unwrap().get(name).cloned();
        Ok(found.map(|(record, version)| (record, version.into())))
    }

    async fn write_if(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<Version>,
    ) -> Result<Result<Version, Conflict>, LockError> {
        tokio::task::yield_now().await;
        let mut records = self.0.lock().unwrap();
        let found = records.get(name).map(|(_, version)| *version);
        if found.map(Version::from) != expected {
            return Ok(Err(Conflict));
        }
        // Never one that a record had which was deleted since.
        let version = self.1.fetch_add(1, Ordering::Relaxed);
        records.insert(name.to_owned(), (record.clone(), version));
        Ok(Ok(version.into()))
    }
}

#[async_trait]
impl RecordCatalogue for Records {
    async fn names(&self) -> Result<Vec<String>, LockError> {
        tokio::task::yield_now().await;
        Ok(self.0.lock().unwrap().keys().cloned().collect())
    }

    async fn delete_if(
        &self,
        name: &str,
        expected: Version,
    ) -> Result<Result<(), Conflict>, LockError> {
        tokio::task::yield_now().await;
        let mut records = self.0.lock().unwrap();
        match records.get(name) {
            Some((_, version)) if Version::from(version) == expected => {
                records.remove(name);
                Ok(Ok(()))
            }
            _ => Ok(Err(Conflict)),
        }
    }
}

impl Records {
    fn provider(&self, name: &str) -> Arc<RecordLockProvider<Self>> {
        let info = ProviderInfo::new("records").with_max_name_chars(64);
        Arc::new(RecordLockProvider::new(info, self.clone()).with_node_name(name))
    }
}

#[async_trait]
impl Harness for Records {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
            .with_clock(StoreClock::Client)
            .with_fencing(Fencing::Always)
    }

    async fn node(&self, name: &str) -> Arc<dyn LockProvider> {
        self.provider(name)
    }

    async fn admin(&self, name: &str) -> Option<Arc<dyn LockAdmin>> {
        Some(self.provider(name))
    }

    async fn peek(&self, lock: &str) -> Peek {
        match self.0.lock().unwrap().get(lock) {
            None => Peek::Absent,
            Some((record, version)) => Peek::Found(Stored {
                owner: Some(record.locked_by.clone()),
                record: format!("{record:?} {version}"),
            }),
        }
    }

    async fn delete(&self, lock: &str) -> bool {
        self.0.lock().unwrap().remove(lock);
        true
    }

    async fn insert_foreign(&self, lock: &str) -> bool {
        let yesterday = SystemTime::now() - Duration::from_secs(24 * 60 * 60);
        let record = LockRecord::new(yesterday, yesterday, "a-java-host".to_owned(), 0);
        self.0
            .lock()
            .unwrap()
            .insert(lock.to_owned(), (record, u64::MAX));
        true
    }
}

shedlock_testkit::conformance!(records, ready(Records::default()));
