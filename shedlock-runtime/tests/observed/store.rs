//! A store for these tests that is given owners, as a server is.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use shedlock_runtime::testing::{Fault, FaultyProvider, InMemoryRecordStore};
use shedlock_runtime::{
    Capabilities, ErrorKind, LockConfiguration, LockError, LockProvider, LockProviderExt,
    LockRecord, LockingTaskExecutor, ProviderInfo, RecordLockProvider, RecordStore, Snapshot,
    TokioClock, Written, async_trait,
};

/// Records by name, and every owner that was ever written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Records {
    stored: InMemoryRecordStore,
    owners: Arc<Mutex<Vec<String>>>,
}

impl Records {
    /// The random part of each owner.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let owners = self.owners.lock().unwrap();
        // Without the number of a later write.
        let secret = |owner: &String| Some(owner.rsplit_once('#')?.1.get(..32)?.to_owned());
        owners.iter().filter_map(secret).collect()
    }

    /// Forgets a lock, as an operator with a shell does.
    pub(crate) fn delete(&self, name: &str) {
        self.stored.remove(name);
    }
}

#[async_trait]
impl RecordStore for Records {
    type Version = u64;

    async fn read(&self, name: &str) -> Result<Snapshot<u64>, LockError> {
        self.stored.read(name).await
    }

    async fn write(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<&u64>,
    ) -> Result<Written<u64>, LockError> {
        self.owners.lock().unwrap().push(record.locked_by.clone());
        self.stored.write(name, record, expected).await
    }

    async fn delete(&self, name: &str, expected: &u64) -> Result<Written<()>, LockError> {
        self.stored.delete(name, expected).await
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>, LockError> {
        self.stored.names(prefix).await
    }
}

pub(crate) type Store = FaultyProvider<RecordLockProvider<Records>>;

pub(crate) fn store() -> (Store, Records) {
    let info = ProviderInfo::new("records")
        .with_clock(TokioClock)
        // Times are kept as they are.
        .with_capabilities(
            Capabilities::new()
                .with_grain(Duration::from_nanos(1))
                .with_positions(),
        );
    let records = Records::default();
    let provider = RecordLockProvider::new(info, records.clone());
    (FaultyProvider::new(provider), records)
}

pub(crate) fn config(name: &str, at_most: &str) -> LockConfiguration {
    LockConfiguration::new(name, at_most).unwrap()
}

/// Runs `body` under the lock that `config` describes, if that is free.
pub(crate) async fn run<T>(
    provider: &(impl LockProvider + Clone),
    config: LockConfiguration,
    body: impl Future<Output = T>,
) -> Result<Option<T>, LockError> {
    let executor = LockingTaskExecutor::new(provider.clone());
    Ok(executor.execute(config, body).await?.executed())
}

pub(crate) async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// A store that is away.
pub(crate) const AWAY: Fault = Fault::Fail(ErrorKind::Unavailable);

/// Takes a lock and leaves it to its lease.
pub(crate) async fn hold(provider: &impl LockProviderExt, name: &str, at_most: &str) {
    let held = provider.try_lock(config(name, at_most)).await;
    held.unwrap().unwrap().release_on_drop(false);
}
