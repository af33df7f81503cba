//! Record stores whose clocks, answers or distances are odd.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_runtime::testing::{InMemoryRecordStore, ManualClock};
use shedlock_runtime::{
    Capabilities, ErrorKind, LockAdmin as _, LockError, LockProviderExt as _, LockRecord,
    Ownership, ProviderInfo, RecordLockProvider, RecordStore, Snapshot, Written, async_trait,
};

use super::{SECOND, config};

const MILLISECOND: Duration = Duration::from_millis(1);

/// How a store's answers are odd.
#[derive(Debug, Clone, Default)]
struct Oddity {
    /// By how much the store's clock is ahead of the nodes'; `None` if it tells no time.
    ahead: Option<Duration>,
    tells_whole_seconds: bool,
    read_takes: Duration,
    /// One write is carried out, and its answer says that it was not.
    write_conflicts_with_itself: bool,
    never_writes: bool,
}

/// A record store that is odd, on a clock of the test's.
#[derive(Debug, Clone)]
struct OddStore {
    records: InMemoryRecordStore,
    clock: ManualClock,
    oddity: Arc<Mutex<Oddity>>,
}

impl OddStore {
    fn new(clock: &ManualClock, oddity: Oddity) -> Self {
        Self {
            records: InMemoryRecordStore::new(),
            clock: clock.clone(),
            oddity: Arc::new(Mutex::new(oddity)),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Oddity)) {
        change(&mut self.oddity.lock().unwrap());
    }

    fn oddity(&self) -> Oddity {
        self.oddity.lock().unwrap().clone()
    }

    fn provider(&self, grain: Duration) -> RecordLockProvider<Self> {
        let info = ProviderInfo::new("odd")
            .with_clock(self.clock.clone())
            .with_capabilities(Capabilities::new().with_grain(grain));
        RecordLockProvider::new(info, self.clone())
    }

    fn two_nodes(&self, grain: Duration) -> [RecordLockProvider<Self>; 2] {
        [self.provider(grain), self.provider(grain)]
    }
}

#[async_trait]
impl RecordStore for OddStore {
    type Version = u64;

    async fn read(&self, name: &str) -> Result<Snapshot<u64>, LockError> {
        let oddity = self.oddity();
        self.clock.advance(oddity.read_takes);
        let found = self.records.read(name).await?;
        let Some(ahead) = oddity.ahead else {
            return Ok(found);
        };
        let mut now = shedlock_runtime::Clock::utc(&self.clock) + ahead;
        if oddity.tells_whole_seconds {
            let since_1970 = now.duration_since(UNIX_EPOCH).unwrap();
            now = UNIX_EPOCH + Duration::from_secs(since_1970.as_secs());
        }
        Ok(found.at(now))
    }

    async fn write(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<&u64>,
    ) -> Result<Written<u64>, LockError> {
        let oddity = self.oddity();
        if oddity.never_writes {
            return Ok(Written::Conflict);
        }
        let written = self.records.write(name, record, expected).await?;
        if oddity.write_conflicts_with_itself {
            self.change(|oddity| oddity.write_conflicts_with_itself = false);
            return Ok(Written::Conflict);
        }
        Ok(written)
    }

    async fn delete(&self, name: &str, expected: &u64) -> Result<Written<()>, LockError> {
        self.records.delete(name, expected).await
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>, LockError> {
        self.records.names(prefix).await
    }
}

fn telling_time() -> Oddity {
    Oddity {
        ahead: Some(Duration::ZERO),
        ..Oddity::default()
    }
}

#[tokio::test]
async fn a_stores_clock_that_is_set_forward_lets_nobody_in() {
    let clock = ManualClock::new();
    let store = OddStore::new(&clock, telling_time());
    let [one, two] = store.two_nodes(MILLISECOND);
    let mut lock = one.try_lock(config("job", "60s")).await.unwrap().unwrap();
    store.change(|oddity| oddity.ahead = Some(40 * SECOND));
    clock.advance(10 * SECOND);
    lock.extend("60s", "0s").await.unwrap();
    clock.advance(25 * SECOND);
    assert!(lock.is_held());
    assert!(two.try_lock(config("job", "60s")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_release_after_a_slow_read_frees_at_once() {
    let clock = ManualClock::new();
    let store = OddStore::new(&clock, telling_time());
    let [one, two] = store.two_nodes(MILLISECOND);
    store.change(|oddity| oddity.read_takes = Duration::from_millis(800));
    let lock = one.try_lock(config("job", "60s")).await.unwrap().unwrap();
    store.change(|oddity| oddity.read_takes = Duration::ZERO);
    clock.advance(5 * SECOND);
    lock.unlock().await.unwrap();
    assert!(two.lock(config("job", "60s")).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_release_frees_though_the_stores_clock_was_set_back() {
    let clock = ManualClock::new();
    let hours = Duration::from_secs(7200);
    let store = OddStore::new(
        &clock,
        Oddity {
            ahead: Some(hours),
            ..Oddity::default()
        },
    );
    let [one, two] = store.two_nodes(MILLISECOND);
    let lock = one.try_lock(config("job", "60s")).await.unwrap().unwrap();
    store.change(|oddity| oddity.ahead = Some(hours / 2));
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
    assert!(two.lock(config("job", "60s")).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_store_that_tells_whole_seconds_cuts_no_lease() {
    let clock = ManualClock::at(UNIX_EPOCH + Duration::from_millis(1_700_000_000_900));
    let whole = Oddity {
        tells_whole_seconds: true,
        ..telling_time()
    };
    let store = OddStore::new(&clock, whole);
    let [one, two] = store.two_nodes(SECOND);
    let lock = one.try_lock(config("job", "2s")).await.unwrap().unwrap();
    clock.advance(Duration::from_millis(1_200));
    assert!(lock.is_held());
    assert!(two.try_lock(config("job", "2s")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_nodes_clock_that_is_set_back_cuts_no_lease() {
    let (mine, theirs) = (ManualClock::new(), ManualClock::new());
    let store = InMemoryRecordStore::new();
    let node = |clock: &ManualClock| {
        let info = ProviderInfo::new("records").with_clock(clock.clone());
        RecordLockProvider::new(info, store.clone())
    };
    let (one, two) = (node(&mine), node(&theirs));
    let mut lock = one.try_lock(config("job", "60s")).await.unwrap().unwrap();
    mine.step_utc(shedlock_runtime::Clock::utc(&mine) - 90 * SECOND);
    lock.extend("60s", "0s").await.unwrap();
    assert!(two.try_lock(config("job", "60s")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_store_that_never_writes_is_an_error_and_not_a_rival() {
    let never = Oddity {
        never_writes: true,
        ..Oddity::default()
    };
    let store = OddStore::new(&ManualClock::new(), never);
    let provider = store.provider(MILLISECOND);
    let error = provider.lock(config("job", "60s")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
}

#[tokio::test]
async fn a_release_by_force_that_conflicts_with_itself_was_one() {
    let store = OddStore::new(&ManualClock::new(), Oddity::default());
    let provider = store.provider(MILLISECOND);
    let _lock = provider
        .try_lock(config("job", "60s"))
        .await
        .unwrap()
        .unwrap();
    store.change(|oddity| oddity.write_conflicts_with_itself = true);
    assert!(
        provider
            .force_release("job", "its node is gone")
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_pause_ends_in_whole_steps_and_not_early() {
    let clock = ManualClock::at(UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    let store = OddStore::new(&clock, telling_time());
    let until = UNIX_EPOCH + Duration::from_millis(1_700_000_001_500);
    store
        .provider(SECOND)
        .pause("job", until, "upkeep")
        .await
        .unwrap();
    let kept = store.records.get("job").unwrap().lock_until;
    assert_eq!(kept, UNIX_EPOCH + Duration::from_secs(1_700_000_002));
}

#[tokio::test(start_paused = true)]
async fn pruning_a_large_store_that_is_far_away_ends() {
    /// A store of 20 ms for each call.
    #[derive(Debug)]
    struct FarAway(InMemoryRecordStore);

    async fn on_the_way() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    #[async_trait]
    impl RecordStore for FarAway {
        type Version = u64;

        async fn read(&self, name: &str) -> Result<Snapshot<u64>, LockError> {
            on_the_way().await;
            self.0.read(name).await
        }

        async fn write(
            &self,
            name: &str,
            record: &LockRecord,
            expected: Option<&u64>,
        ) -> Result<Written<u64>, LockError> {
            on_the_way().await;
            self.0.write(name, record, expected).await
        }

        async fn delete(&self, name: &str, expected: &u64) -> Result<Written<()>, LockError> {
            on_the_way().await;
            self.0.delete(name, expected).await
        }

        async fn names(&self, prefix: &str) -> Result<Vec<String>, LockError> {
            on_the_way().await;
            self.0.names(prefix).await
        }
    }

    let records = InMemoryRecordStore::new();
    let yesterday = SystemTime::now() - Duration::from_secs(24 * 60 * 60);
    for number in 0..6_000 {
        let record = LockRecord::new(yesterday, yesterday, "web-2".to_owned(), 1);
        records.insert(&format!("job-{number}"), record);
    }
    let provider = RecordLockProvider::new(ProviderInfo::new("far"), FarAway(records));
    assert_eq!(provider.prune(2 * 24 * 60 * 60 * SECOND).await.unwrap(), 0);
    assert_eq!(provider.prune(60 * 60 * SECOND).await.unwrap(), 6_000);
}
