//! A store whose client repeats a write by itself, so that the answer "conflict" may come from the first attempt of the same write.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use shedlock_runtime::testing::InMemoryRecordStore;
use shedlock_runtime::{
    AcquireRequest, ErrorKind, LockAdmin as _, LockConfiguration, LockError, LockProvider as _,
    LockProviderExt as _, LockRecord, OperatorMark, Owner, Ownership, Position, ProviderInfo,
    RecordLockProvider, RecordStore, Snapshot, Written, async_trait,
};

const MINUTE: Duration = Duration::from_secs(60);

/// What becomes of one write that is answered as a conflict.
#[derive(Debug, Clone)]
enum Conflict {
    /// Another write came first.
    Real,
    /// The write was made.
    Made,
    /// The write was made, and then this record was written over it.
    Replaced(LockRecord),
}

#[derive(Debug, Clone, Default)]
struct Repeating {
    records: InMemoryRecordStore,
    conflicts: Arc<Mutex<VecDeque<Conflict>>>,
    /// How the read after all conflicts fails.
    failure: Arc<Mutex<Option<ErrorKind>>>,
    reads: Arc<AtomicUsize>,
}

impl Repeating {
    fn provider(&self) -> RecordLockProvider<Self> {
        let info = ProviderInfo::new("repeating");
        let capabilities = shedlock_runtime::Capabilities::new().with_positions();
        RecordLockProvider::new(info.with_capabilities(capabilities), self.clone())
    }

    fn next(&self, conflicts: &[Conflict]) {
        self.conflicts
            .lock()
            .unwrap()
            .extend(conflicts.iter().cloned());
    }
}

#[async_trait]
impl RecordStore for Repeating {
    type Version = u64;

    async fn read(&self, name: &str) -> Result<Snapshot<u64>, LockError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let is_last = self.conflicts.lock().unwrap().is_empty();
        let failure = self.failure.lock().unwrap().take();
        match failure {
            Some(kind) if is_last => Err(LockError::new(kind, "the read fails")),
            failure => {
                *self.failure.lock().unwrap() = failure;
                self.records.read(name).await
            }
        }
    }

    async fn write(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<&u64>,
    ) -> Result<Written<u64>, LockError> {
        let conflict = self.conflicts.lock().unwrap().pop_front();
        match conflict {
            Some(Conflict::Real) => return Ok(Written::Conflict),
            Some(Conflict::Replaced(_) | Conflict::Made) | None => {}
        }
        let written = self.records.write(name, record, expected).await?;
        if let Some(Conflict::Replaced(next)) = &conflict {
            self.records.insert(name, next.clone());
        }
        Ok(match conflict {
            None => written,
            Some(_) => Written::Conflict,
        })
    }

    async fn delete(&self, name: &str, expected: &u64) -> Result<Written<()>, LockError> {
        self.records.delete(name, expected).await
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>, LockError> {
        self.records.names(prefix).await
    }
}

fn config() -> LockConfiguration {
    LockConfiguration::new("job", 10 * MINUTE).expect("legal")
}

fn held_by(owner: &str, since: SystemTime) -> LockRecord {
    LockRecord::new(since + 10 * MINUTE, since, owner.to_owned(), 7)
}

fn an_owner() -> String {
    let owner = Owner::generate(&shedlock_runtime::node_name("web-2"));
    owner.expect("random numbers").stored()
}

/// What a request was granted although its call failed, the runtime gives back.
async fn must_be_given_back(store: &Repeating) {
    let given_back = async {
        loop {
            let record = store.records.get("job").expect("was written");
            if record.lock_until <= SystemTime::now() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let given_back = tokio::time::timeout(Duration::from_secs(20), given_back).await;
    given_back.expect("the lock stays taken for nobody");
}

#[tokio::test]
async fn an_error_after_a_conflict_is_in_doubt_and_the_grant_is_given_back() {
    for kind in [ErrorKind::Unavailable, ErrorKind::Permission] {
        let store = Repeating::default();
        for others in [0, 3] {
            store.next(&vec![Conflict::Real; others]);
            store.next(&[Conflict::Made]);
            *store.failure.lock().unwrap() = Some(kind);
            let error = store.provider().try_lock(config()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error:?}");
            must_be_given_back(&store).await;
        }
    }
    // Without a conflict there is no doubt.
    let store = Repeating::default();
    *store.failure.lock().unwrap() = Some(ErrorKind::Unavailable);
    let error = store.provider().try_lock(config()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}

#[tokio::test]
async fn the_last_conflict_of_a_call_is_looked_at() {
    let long_ago = SystemTime::now() - 60 * MINUTE;
    let rival = Conflict::Replaced(held_by("app.example", long_ago));
    for first in [Conflict::Real, rival] {
        let store = Repeating::default();
        store.next(&[first.clone(), Conflict::Real, Conflict::Real]);
        store.next(&[Conflict::Made]);
        let lock = store.provider().try_lock(config()).await.unwrap();
        assert!(lock.is_some(), "the last write was made: {first:?}");
    }
    // Nobody has written: an error in doubt.
    let store = Repeating::default();
    store.next(&vec![Conflict::Real; 4]);
    let error = store.provider().try_lock(config()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error:?}");
}

/// The lease has what the lease of a write that was answered has: whom it took over from, its position, its version.
#[tokio::test]
async fn a_grant_that_the_next_round_finds_is_whole() {
    let store = Repeating::default();
    let gone = held_by(&an_owner(), SystemTime::now() - 60 * MINUTE);
    store.records.insert("job", gone);
    let provider = store.provider();
    store.next(&[Conflict::Made]);
    let config = config().with_once_per("1h").unwrap();
    let request = AcquireRequest::new(config, provider.info().clock().boot());
    let lease = provider.acquire(&request).await.unwrap();
    let lease = lease.granted().expect("its own record");
    let predecessor = lease.predecessor().expect("a holder that is gone");
    assert_eq!(&*predecessor.node, "web-2");
    let begun = lease.position().expect("a slot was asked for");
    let stored: Option<Position> = store.records.get("job").unwrap().position;
    assert_eq!(Some(begun), stored);
    let token = store.records.get("job").unwrap().fencing_token;
    assert_eq!(lease.fencing_token(), Some(token));

    let reads = store.reads.load(Ordering::Relaxed);
    let extended = provider.extend(&lease, 20 * MINUTE).await.unwrap();
    assert_eq!(extended, Ownership::Ours);
    assert_eq!(store.reads.load(Ordering::Relaxed), reads, "one write");
}

/// The release was made, and its answer says "conflict" because the client has repeated it. Meanwhile another node has got the lock.
#[tokio::test]
async fn a_repeated_release_by_force_leaves_the_next_holder_alone() {
    let now = SystemTime::now();
    let host = "app.example";
    for (holder, next) in [
        (an_owner(), an_owner()),
        (host.to_owned(), host.to_owned()),
        (an_owner(), host.to_owned()),
    ] {
        let store = Repeating::default();
        store.records.insert("job", held_by(&holder, now - MINUTE));
        let next = held_by(&next, now);
        store.next(&[Conflict::Replaced(next.clone())]);
        let released = store.provider().force_release("job", "stuck").await;
        assert!(released.unwrap(), "the holder that was meant is gone");
        assert_eq!(store.records.get("job"), Some(next));
    }
}

/// An extension of the holder that is meant comes between, and the release is made all the same.
#[tokio::test]
async fn a_release_by_force_that_an_extension_overtakes_is_made() {
    let now = SystemTime::now();
    let store = Repeating::default();
    let holder = held_by(&an_owner(), now - MINUTE);
    store.records.insert("job", holder.clone());
    store.next(&[Conflict::Real]);
    let extended = LockRecord::new(
        now + 20 * MINUTE,
        holder.locked_at,
        format!("{}00000000000a", holder.locked_by),
        holder.fencing_token,
    );
    store.records.insert("job", extended);
    assert!(
        store
            .provider()
            .force_release("job", "stuck")
            .await
            .unwrap()
    );
    assert!(store.records.get("job").unwrap().lock_until <= SystemTime::now());
}

#[tokio::test]
async fn a_repeated_resume_leaves_the_next_pause_alone() {
    let now = SystemTime::now();
    let mark = OperatorMark::paused("moving").to_string();
    let store = Repeating::default();
    store.records.insert("job", held_by(&mark, now - MINUTE));
    let next = held_by(&mark, now);
    store.next(&[Conflict::Replaced(next.clone())]);
    assert!(store.provider().resume("job").await.unwrap());
    assert_eq!(store.records.get("job"), Some(next));
}
