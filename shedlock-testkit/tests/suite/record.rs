//! A store that can compare and swap, and no more, behind the runtime's `RecordLockProvider`.

use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use shedlock_runtime::testing::InMemoryRecordStore;
use shedlock_runtime::{
    Capabilities, Expiry, Fencing, LockAdmin, LockProvider, LockRecord, ProviderInfo,
    RecordLockProvider, async_trait,
};
use shedlock_testkit::conformance::{Harness, Peek, Stored};

#[derive(Default)]
struct Records(InMemoryRecordStore);

impl Records {
    fn provider(&self, name: &str) -> Arc<RecordLockProvider<InMemoryRecordStore>> {
        let capabilities = Capabilities::new()
            .with_expiry(Expiry::ByClientClock)
            .with_fencing(Fencing::Always)
            .with_positions()
            .with_max_name_chars(64);
        let info = ProviderInfo::new("records")
            .with_node_name(name)
            .with_capabilities(capabilities);
        Arc::new(RecordLockProvider::new(info, self.0.clone()))
    }
}

#[async_trait]
impl Harness for Records {
    async fn node(&self, name: &str) -> Arc<dyn LockProvider> {
        self.provider(name)
    }

    async fn admin(&self, name: &str) -> Option<Arc<dyn LockAdmin>> {
        Some(self.provider(name))
    }

    async fn peek(&self, lock: &str) -> Peek {
        match self.0.get(lock) {
            None => Peek::Absent,
            Some(record) => Peek::Found(Stored {
                record: format!("{record:?}"),
                owner: Some(record.locked_by),
            }),
        }
    }

    async fn delete(&self, lock: &str) -> bool {
        self.0.remove(lock);
        true
    }

    async fn insert_foreign(&self, lock: &str) -> bool {
        let yesterday = SystemTime::now() - Duration::from_secs(24 * 60 * 60);
        let record = LockRecord::new(yesterday, yesterday, "a-java-host".to_owned(), 0);
        self.0.insert(lock, record);
        true
    }
}

shedlock_testkit::conformance!(records, ready(Records::default()));
