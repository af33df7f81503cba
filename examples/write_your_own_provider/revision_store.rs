//! A store that swaps a text if its revision is as expected, tells its time, and takes few characters in keys: as NATS and S3 do.

use std::time::SystemTime;

use shedlock_runtime::{
    Capabilities, Expiry, Fencing, LockError, LockRecord, NameEncoding, ProviderInfo,
    RecordLockProvider, RecordStore, Snapshot, Written, async_trait,
};

use crate::servers::{Revisions, Server};

/// What the keys of NATS may have, but for the escape character.
pub(crate) const KEYS: NameEncoding =
    NameEncoding::new('=', |c| c.is_ascii_alphanumeric() || "-_/".contains(c));

#[derive(Debug, Clone)]
pub(crate) struct RevisionStore(Server<Revisions>);

pub(crate) fn provider(
    server: Server<Revisions>,
    info: ProviderInfo,
) -> RecordLockProvider<RevisionStore> {
    let capabilities = Capabilities::new()
        .with_expiry(Expiry::ByStoreClock)
        .with_fencing(Fencing::Always)
        .with_positions();
    RecordLockProvider::new(info.with_capabilities(capabilities), RevisionStore(server))
}

fn snapshot((text, revision): &(String, u64)) -> Snapshot<u64> {
    match LockRecord::from_json(text) {
        Ok(record) => Snapshot::record(record, *revision),
        Err(problem) => Snapshot::unreadable(problem),
    }
}

fn written(revision: Option<u64>) -> Written<u64> {
    revision.map_or(Written::Conflict, Written::Done)
}

#[async_trait]
impl RecordStore for RevisionStore {
    type Version = u64;

    async fn read(&self, name: &str) -> Result<Snapshot<u64>, LockError> {
        let key = KEYS.encode(name);
        let read = |store: &mut Revisions, now: SystemTime| {
            let found = store.texts.get(&*key);
            found.map_or_else(Snapshot::absent, snapshot).at(now)
        };
        Ok(self.0.ask(read).await)
    }

    async fn write(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<&u64>,
    ) -> Result<Written<u64>, LockError> {
        let (key, expected) = (KEYS.encode(name), expected.copied().unwrap_or(0));
        let text = Some(record.to_json());
        let write = |store: &mut Revisions, _| store.swap(&key, text, expected);
        Ok(written(self.0.ask(write).await))
    }

    async fn delete(&self, name: &str, expected: &u64) -> Result<Written<()>, LockError> {
        let key = KEYS.encode(name);
        let delete = |store: &mut Revisions, _| store.swap(&key, None, *expected);
        Ok(match self.0.ask(delete).await {
            Some(_) => Written::Done(()),
            None => Written::Conflict,
        })
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>, LockError> {
        let prefix = KEYS.encode(prefix);
        let keys = |store: &mut Revisions, _| {
            let keys = store.texts.keys().filter(|key| key.starts_with(&*prefix));
            keys.filter_map(|key| KEYS.decode(key)).collect()
        };
        Ok(self.0.ask(keys).await)
    }

    fn revision(&self, version: &u64) -> Option<u64> {
        Some(*version)
    }
}
