//! A store that can compare and swap, and no more, behind the runtime's `RecordLockProvider`.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use shedlock_runtime::{
    Conflict, LockError, LockProvider, LockRecord, ProviderInfo, RecordLockProvider, RecordStore,
    Version, async_trait,
};
use shedlock_testkit::conformance::{Capabilities, Fencing, Harness, Peek, StoreClock, Stored};

#[derive(Debug, Clone, Default)]
struct Records(Arc<Mutex<HashMap<String, (LockRecord, u64)>>>);

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
        let version = found.unwrap_or(0) + 1;
        records.insert(name.to_owned(), (record.clone(), version));
        Ok(Ok(version.into()))
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
        let info = ProviderInfo::new("records").with_max_name_chars(64);
        Arc::new(RecordLockProvider::new(info, self.clone()).with_node_name(name))
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
        self.0.lock().unwrap().insert(lock.to_owned(), (record, 1));
        true
    }
}

shedlock_testkit::conformance!(records, ready(Records::default()));
