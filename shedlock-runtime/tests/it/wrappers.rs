//! Providers around a provider.

use std::task::Poll;
use std::time::Duration;

use shedlock_runtime::testing::InMemoryRecordStore;
use shedlock_runtime::{
    Capabilities, Lock, LockConfiguration, LockError, LockProvider, LockProviderExt as _,
    LockRecord, ProviderInfo, RecordLockProvider, RecordStore, Snapshot, TokioClock, Written,
    async_trait,
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
pub(crate) struct Records(pub(crate) InMemoryRecordStore);

#[async_trait]
impl RecordStore for Records {
    type Version = u64;

    async fn read(&self, name: &str) -> Result<Snapshot<u64>, LockError> {
        round_trip().await;
        self.0.read(name).await
    }

    async fn write(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<&u64>,
    ) -> Result<Written<u64>, LockError> {
        round_trip().await;
        let written = self.0.write(name, record, expected).await;
        round_trip().await;
        written
    }

    async fn delete(&self, name: &str, expected: &u64) -> Result<Written<()>, LockError> {
        self.0.delete(name, expected).await
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>, LockError> {
        self.0.names(prefix).await
    }
}

/// Long enough to be interrupted in: a limited call is polled more than once each time it is polled.
async fn round_trip() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

impl Records {
    /// The stored names of the locks that are taken.
    fn taken(&self) -> Vec<String> {
        let now = shedlock_runtime::Clock::utc(&TokioClock);
        let all = self.0.all().into_iter();
        let taken = all.filter(|(_, record)| record.lock_until > now);
        taken.map(|(name, _)| name).collect()
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
        .with_capabilities(
            Capabilities::new()
                // Times are kept as they are.
                .with_grain(Duration::from_nanos(1))
                .with_max_name_chars(64),
        );
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
