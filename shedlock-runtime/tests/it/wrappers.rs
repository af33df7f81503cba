//! Providers around a provider.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use shedlock_runtime::{
    Conflict, Lock, LockConfiguration, LockError, LockProvider, LockProviderExt as _, LockRecord,
    ProviderInfo, RecordLockProvider, RecordStore, TokioClock, Version, async_trait,
};

mod compose;
mod namespace;
mod routing;
mod timeout;
mod tracking;

const LONG: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_secs(1);

/// A store with owners, which has to be waited for, on tokio's clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Records(pub(crate) Arc<Mutex<HashMap<String, (LockRecord, u64)>>>);

#[async_trait]
impl RecordStore for Records {
    async fn read(&self, name: &str) -> Result<Option<(LockRecord, Version)>, LockError> {
        round_trip().await;
        let found = self.0.lock().unwrap().get(name).cloned();
        Ok(found.map(|(record, version)| (record, version.into())))
    }

    async fn write_if(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<Version>,
    ) -> Result<Result<Version, Conflict>, LockError> {
        round_trip().await;
        let written = self.write(name, record, expected.as_ref());
        round_trip().await;
        Ok(written)
    }
}

/// Long enough to be interrupted in: a limited call is polled more than once each time it is polled.
async fn round_trip() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

impl Records {
    fn write(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<&Version>,
    ) -> Result<Version, Conflict> {
        let mut records = self.0.lock().unwrap();
        let found = records.get(name).map(|(_, version)| *version);
        if found.map(Version::from).as_ref() != expected {
            return Err(Conflict);
        }
        let version = found.unwrap_or(0) + 1;
        records.insert(name.to_owned(), (record.clone(), version));
        Ok(version.into())
    }

    /// The stored names of the locks that are taken.
    fn taken(&self) -> Vec<String> {
        let now = shedlock_runtime::Clock::utc(&TokioClock);
        let records = self.0.lock().unwrap();
        let taken = records
            .iter()
            .filter(|(_, (record, _))| record.lock_until > now);
        let mut names: Vec<_> = taken.map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    }
}

type Store = RecordLockProvider<Records>;

/// A provider, and a look at what is behind it.
fn store() -> (Store, Records) {
    let records = Records::default();
    (over(&records), records)
}

fn over(records: &Records) -> Store {
    let info = ProviderInfo::new("records")
        .with_clock(TokioClock)
        .with_max_name_chars(64);
    RecordLockProvider::new(info, records.clone())
}

fn config(name: &str) -> LockConfiguration {
    LockConfiguration::new(name, LONG).unwrap()
}

async fn take(provider: &(impl LockProvider + Clone), name: &str) -> Lock {
    let lock = provider.try_lock(config(name)).await.unwrap();
    lock.unwrap_or_else(|| panic!("`{name}` is free"))
}

async fn is_free(provider: &(impl LockProvider + Clone), name: &str) -> bool {
    match provider.try_lock(config(name)).await.unwrap() {
        Some(lock) => {
            lock.unlock().await.unwrap();
            true
        }
        None => false,
    }
}

/// Waits, in paused time, until nothing is taken, which must be soon.
async fn until_free(records: &Records) {
    let begin = tokio::time::Instant::now();
    while !records.taken().is_empty() {
        assert!(begin.elapsed() < SOON, "{:?} is taken", records.taken());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Drops a call after so many polls; says whether it ended before.
async fn drop_after<T>(polls: u32, call: impl Future<Output = T>) -> bool {
    let mut call = std::pin::pin!(call);
    for _ in 0..polls {
        let ended = std::future::poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_ready())).await;
        if ended {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

/// Drops an acquisition at each point where it waits: the lock is soon free, and nothing holds it.
async fn leaves_nothing_wherever_it_is_dropped(
    provider: &(impl LockProvider + Clone),
    records: &Records,
) {
    let mut interrupted = 0;
    for polls in 1.. {
        let ended = drop_after(polls, provider.try_lock(config("job"))).await;
        until_free(records).await;
        if ended {
            break;
        }
        interrupted += 1;
    }
    assert!(interrupted >= 5, "dropped at {interrupted} points only");
}
