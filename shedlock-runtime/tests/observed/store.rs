//! A store for these tests that is given owners, as a server is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{
    Conflict, ErrorKind, LockConfiguration, LockError, LockProvider, LockProviderExt, LockRecord,
    LockingTaskExecutor, ProviderInfo, RecordLockProvider, RecordStore, TokioClock, Version,
    async_trait,
};

type Stored = HashMap<String, (LockRecord, u64)>;

/// Records by name, and every owner that was ever written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Records {
    stored: Arc<Mutex<Stored>>,
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
        self.stored.lock().unwrap().remove(name);
    }
}

#[async_trait]
impl RecordStore for Records {
    async fn read(&self, name: &str) -> Result<Option<(LockRecord, Version)>, LockError> {
        let stored = self.stored.lock().unwrap();
        let found = stored.get(name).cloned();
        Ok(found.map(|(record, version)| (record, version.into())))
    }

    async fn write_if(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<Version>,
    ) -> Result<Result<Version, Conflict>, LockError> {
        let mut stored = self.stored.lock().unwrap();
        let found = stored.get(name).map(|(_, version)| *version);
        if found.map(Version::from) != expected {
            return Ok(Err(Conflict));
        }
        let version = found.unwrap_or_default() + 1;
        self.owners.lock().unwrap().push(record.locked_by.clone());
        stored.insert(name.to_owned(), (record.clone(), version));
        Ok(Ok(version.into()))
    }
}

pub(crate) type Store = FaultyProvider<RecordLockProvider<Records>>;

pub(crate) fn store() -> (Store, Records) {
    let info = ProviderInfo::new("records").with_clock(TokioClock);
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
