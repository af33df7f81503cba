//! The conformance suite on the provider of the example `write_your_own_provider`.

#[path = "../write_your_own_provider/file_store.rs"]
mod file_store;

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use shedlock_runtime::{
    LockAdmin, LockProvider, LockRecord, ProviderInfo, RecordLockProvider, RecordStore as _,
    async_trait,
};
use shedlock_testkit::conformance::{Capabilities, Fencing, Harness, Peek, StoreClock, Stored};
use tempfile::TempDir;

use crate::file_store::FileStore;

const READABLE: &str = "the temporary directory can be read and written";

/// One directory for each case.
struct Files {
    directory: TempDir,
}

impl Files {
    fn store(&self) -> FileStore {
        FileStore::new(self.directory.path())
    }

    fn provider(&self, node: &str) -> RecordLockProvider<FileStore> {
        let info = ProviderInfo::new("files");
        RecordLockProvider::new(info, self.store()).with_node_name(node)
    }
}

#[async_trait]
impl Harness for Files {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
            .with_clock(StoreClock::Client)
            .with_fencing(Fencing::Always)
    }

    async fn node(&self, name: &str) -> Arc<dyn LockProvider> {
        Arc::new(self.provider(name))
    }

    async fn admin(&self, name: &str) -> Option<Arc<dyn LockAdmin>> {
        Some(Arc::new(self.provider(name)))
    }

    async fn peek(&self, lock: &str) -> Peek {
        match self.store().read(lock).await.expect(READABLE) {
            None => Peek::Absent,
            Some((record, version)) => Peek::Found(Stored {
                owner: Some(record.locked_by),
                record: version.as_str().to_owned(),
            }),
        }
    }

    async fn delete(&self, lock: &str) -> bool {
        fs::remove_file(self.store().path(lock)).expect(READABLE);
        true
    }

    async fn insert_foreign(&self, lock: &str) -> bool {
        let yesterday = SystemTime::now() - Duration::from_hours(24);
        let record = LockRecord::new(yesterday, yesterday, "a java host".to_owned(), 0);
        self.store()
            .write_if(lock, &record, None)
            .await
            .expect(READABLE)
            .is_ok()
    }

    async fn restore_schema(&self) {
        fs::create_dir(self.directory.path()).expect(READABLE);
    }

    async fn remove_schema(&self) -> bool {
        fs::remove_dir_all(self.directory.path()).expect(READABLE);
        true
    }
}

fn fresh() -> Files {
    Files {
        directory: TempDir::new().expect(READABLE),
    }
}

shedlock_testkit::conformance!(files, async { fresh() });
