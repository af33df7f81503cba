//! Old claims are deleted, however many there are and however far away their store is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use shedlock_runtime::testing::InMemoryRecordStore;
use shedlock_runtime::{
    Capabilities, LockAdmin as _, LockConfiguration, LockError, LockRecord, LockingTaskExecutor,
    ProviderInfo, RecordLockProvider, RecordStore, Snapshot, Written, async_trait,
};
use tokio::time::sleep;

const HOUR: Duration = Duration::from_secs(3_600);
const SECOND: Duration = Duration::from_secs(1);

/// A store that reads one record in a second.
#[derive(Debug, Clone, Default)]
struct FarAway {
    records: InMemoryRecordStore,
    lists_contents: bool,
    reads: Arc<AtomicUsize>,
    at_once: Arc<AtomicUsize>,
    most_at_once: Arc<AtomicUsize>,
}

#[async_trait]
impl RecordStore for FarAway {
    type Version = u64;

    async fn read(&self, name: &str) -> Result<Snapshot<u64>, LockError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let at_once = self.at_once.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::Relaxed);
        sleep(SECOND).await;
        self.at_once.fetch_sub(1, Ordering::Relaxed);
        self.records.read(name).await
    }

    async fn write(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<&u64>,
    ) -> Result<Written<u64>, LockError> {
        self.records.write(name, record, expected).await
    }

    async fn delete(&self, name: &str, expected: &u64) -> Result<Written<()>, LockError> {
        self.records.delete(name, expected).await
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>, LockError> {
        self.records.names(prefix).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, Snapshot<u64>)>, LockError> {
        sleep(SECOND).await;
        self.records.list(prefix).await
    }

    fn lists_contents(&self) -> bool {
        self.lists_contents
    }
}

fn provider<S: RecordStore>(store: S) -> RecordLockProvider<S> {
    let capabilities = Capabilities::new().with_positions();
    let info = ProviderInfo::new("records").with_capabilities(capabilities);
    RecordLockProvider::new(info, store)
}

/// Inserts claims of the lock `mail` that are free since `since`.
fn insert(records: &InMemoryRecordStore, texts: impl Iterator<Item = String>, since: SystemTime) {
    for text in texts {
        let record = LockRecord::new(since, since, "web-2".to_owned(), 1);
        records.insert(&format!("mail@={text}"), record);
    }
}

fn yesterday() -> SystemTime {
    SystemTime::now() - 24 * HOUR
}

/// Runs for a text of its own, after which old claims are deleted.
async fn run<S: RecordStore>(provider: &RecordLockProvider<S>, text: &str) {
    let config = LockConfiguration::new("mail", "10m").unwrap();
    let config = config.with_instant_text(text).unwrap();
    let config = config.with_claims_kept_for(HOUR).unwrap();
    let executor = LockingTaskExecutor::new(provider.clone());
    let ran = executor.execute(config, async {}).await.unwrap();
    assert!(ran.was_executed());
}

#[tokio::test(start_paused = true)]
async fn more_claims_than_one_request_deletes_are_deleted_at_once() {
    let records = InMemoryRecordStore::new();
    let texts = (0..2_500).map(|number| number.to_string());
    insert(&records, texts, yesterday());
    run(&provider(records.clone()), "new").await;
    sleep(SECOND).await;
    assert!(records.get("mail@=new").is_some());
    assert_eq!(records.all().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_clean_up_that_takes_too_long_has_deleted_some() {
    let store = FarAway::default();
    let texts = (0..1_000).map(|number| number.to_string());
    insert(&store.records, texts, yesterday());
    run(&provider(store.clone()), "new").await;
    sleep(50 * SECOND).await;
    let left = store.records.all().len();
    assert!((500..600).contains(&left), "{left}");
    assert_eq!(store.most_at_once.load(Ordering::Relaxed), 16);
}

/// As many as one clean-up cannot look at come before those that are to be deleted.
#[tokio::test(start_paused = true)]
async fn young_claims_do_not_hide_old_ones() {
    let store = FarAway::default();
    let texts = |first: char| (0..1_000).map(move |number| format!("{first}{number}"));
    insert(&store.records, texts('a'), SystemTime::now());
    insert(&store.records, texts('z'), yesterday());
    let provider = provider(store.clone());
    for minute in 0..60 {
        run(&provider, &format!("new-{minute}")).await;
        sleep(60 * SECOND).await;
    }
    let old_ones = |name: &String| name.starts_with("mail@=z");
    let left = store.records.all().into_keys().filter(old_ones).count();
    assert!(left < 1_000, "{left}");
}

#[tokio::test(start_paused = true)]
async fn what_a_list_has_read_is_not_read_again() {
    let store = FarAway {
        lists_contents: true,
        ..FarAway::default()
    };
    let texts = |first: char| (0..700).map(move |number| format!("{first}{number}"));
    insert(&store.records, texts('a'), SystemTime::now());
    insert(&store.records, texts('y').chain(texts('z')), yesterday());
    let pruned = provider(store.clone()).prune(HOUR).await.unwrap();
    assert_eq!(pruned, 1_400);
    assert_eq!(store.reads.load(Ordering::Relaxed), 0);
    assert_eq!(store.records.all().len(), 700);
}
