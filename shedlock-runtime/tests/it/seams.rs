//! What once broke the seams: clocks that are set, notes and identities that are shared, limits that were passed by.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_runtime::testing::{Fault, FaultyProvider, InMemoryRecordStore, ManualClock};
use shedlock_runtime::{
    AcquireRequest, Acquisition, Capabilities, ErrorKind, InMemoryLockProvider, Lease,
    LockAdmin as _, LockConfiguration, LockError, LockProvider, LockProviderExt as _, LockRecord,
    LockingTaskExecutor, NamespacedLockProvider, Operation, Ownership, ProviderInfo,
    RecordLockProvider, RecordStore, RoutingLockProvider, Snapshot, TokioClock, Written,
    async_trait,
};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

fn config(name: &str, at_most: &str) -> LockConfiguration {
    LockConfiguration::new(name, at_most).unwrap()
}

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
    assert_eq!(error.kind(), ErrorKind::Unavailable);
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

/// A provider that grants everything, and notes what reaches it.
#[derive(Debug, Clone)]
struct Noting {
    info: ProviderInfo,
    names: Arc<Mutex<Vec<String>>>,
    keeps: Arc<Mutex<Vec<Duration>>>,
}

impl Noting {
    fn new(capabilities: Capabilities) -> Self {
        let info = ProviderInfo::new("noting").with_clock(TokioClock);
        Self {
            info: info.with_capabilities(capabilities),
            names: Arc::default(),
            keeps: Arc::default(),
        }
    }

    fn longest_kept(&self) -> Duration {
        let keeps = self.keeps.lock().unwrap();
        keeps.iter().max().copied().unwrap_or_default()
    }
}

#[async_trait]
impl LockProvider for Noting {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let name = request.name().as_str().to_owned();
        self.names.lock().unwrap().push(name);
        request.owner(&self.info)?;
        Ok(Acquisition::Granted(request.grant(None)))
    }

    async fn extend(&self, _: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        self.keeps.lock().unwrap().push(at_most);
        Ok(Ownership::Ours)
    }

    async fn release(&self, _: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        self.keeps.lock().unwrap().push(keep_for);
        Ok(Ownership::Ours)
    }
}

fn tenants(info: ProviderInfo) -> RoutingLockProvider {
    RoutingLockProvider::with_info(info, |name| {
        name.split(':').next().unwrap_or_default().into()
    })
}

fn tenants_info() -> ProviderInfo {
    ProviderInfo::new("tenants").with_clock(TokioClock)
}

#[tokio::test(start_paused = true)]
async fn what_a_tenants_store_cannot_keep_does_not_reach_it() {
    let minute = Capabilities::new()
        .with_shortest_lease(10 * SECOND)
        .with_longest_lease(60 * SECOND);
    let tenant = Noting::new(minute);
    let router = tenants(tenants_info());
    router.insert("acme", tenant.clone()).unwrap();
    let mut lock = router
        .try_lock(config("acme:job", "60s"))
        .await
        .unwrap()
        .unwrap();
    for (at_most, at_least) in [("2h", "0s"), ("1s", "0s")] {
        let error = lock.extend(at_most, at_least).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidDuration);
    }
    assert_eq!(tenant.longest_kept(), Duration::ZERO);
    lock.extend("30s", "3h").await.unwrap();
    lock.unlock().await.unwrap();
    assert_eq!(tenant.longest_kept(), 60 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_release_keeps_a_lock_no_longer_than_the_store_can() {
    let tenant = Noting::new(Capabilities::new().with_longest_lease(60 * SECOND));
    let store = FaultyProvider::new(tenant.clone());
    store.next(Operation::Acquire, Fault::DelayReply(2 * SECOND));
    let mut lock = store.try_lock(config("job", "60s")).await.unwrap().unwrap();
    lock.extend("60s", "60s").await.unwrap();
    lock.unlock().await.unwrap();
    assert_eq!(tenant.longest_kept(), 60 * SECOND);
}

#[tokio::test]
async fn a_namespace_is_of_the_characters_that_names_may_have() {
    let letters = Capabilities::new().with_name_alphabet("letters", char::is_alphabetic);
    let store = Noting::new(letters);
    let error = NamespacedLockProvider::new(store, "staging").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let said = error.to_string();
    assert!(said.contains("has only letters; found '/'"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn what_a_clone_of_a_request_was_granted_is_given_back() {
    /// Asks its store on a task of its own, which needs a request of its own.
    #[derive(Debug, Clone)]
    struct Spawning<P>(Arc<P>);

    #[async_trait]
    impl<P: LockProvider> LockProvider for Spawning<P> {
        fn info(&self) -> &ProviderInfo {
            self.0.info()
        }

        async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
            let (inner, request) = (Arc::clone(&self.0), request.clone());
            let asked = tokio::spawn(async move { inner.acquire(&request).await });
            asked.await.unwrap()
        }

        async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
            self.0.extend(lease, at_most).await
        }

        async fn release(&self, lease: &Lease, keep: Duration) -> Result<Ownership, LockError> {
            self.0.release(lease, keep).await
        }
    }

    let info = ProviderInfo::new("records").with_clock(TokioClock);
    let records = RecordLockProvider::new(info, InMemoryRecordStore::new());
    let store = FaultyProvider::new(records);
    let provider = Spawning(Arc::new(store.clone()));
    store.next(Operation::Acquire, Fault::LoseReply);
    provider.try_lock(config("job", "1h")).await.unwrap_err();
    tokio::time::sleep(60 * SECOND).await;
    assert!(provider.lock(config("job", "1h")).await.unwrap().is_ok());
}

#[tokio::test]
async fn two_routers_of_one_description_are_two() {
    let info = tenants_info();
    let inner = RoutingLockProvider::with_info(info.clone(), |name| {
        name.rsplit(':').next().unwrap_or_default().into()
    });
    inner.insert("job", InMemoryLockProvider::new()).unwrap();
    let outer = tenants(info);
    outer.insert("acme", inner).unwrap();
    assert!(
        outer
            .try_lock(config("acme:job", "60s"))
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test(start_paused = true)]
async fn two_stores_of_one_description_are_two() {
    let info = ProviderInfo::new("records").with_clock(TokioClock);
    let node = || RecordLockProvider::new(info.clone(), InMemoryRecordStore::new());
    let (one, two) = (node(), node());
    let _held = two.try_lock(config("job", "60s")).await.unwrap().unwrap();
    let (outer, inner) = (LockingTaskExecutor::new(one), LockingTaskExecutor::new(two));
    let nested = async {
        let nested = inner.execute(config("job", "60s"), async {}).await;
        nested.unwrap().was_executed()
    };
    let outcome = outer.execute(config("job", "60s"), nested).await.unwrap();
    assert_eq!(outcome.executed(), Some(false), "another holds it");
}

#[tokio::test]
async fn a_wrapper_and_the_provider_behind_it_both_keep_their_notes() {
    struct AuditId;

    /// Has the description of the provider behind it, because its locks are the same.
    #[derive(Debug, Clone)]
    struct Audited<P>(P);

    #[async_trait]
    impl<P: LockProvider> LockProvider for Audited<P> {
        fn info(&self) -> &ProviderInfo {
            self.0.info()
        }

        async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
            let answer = self.0.acquire(request).await?;
            if let Acquisition::Granted(lease) = &answer {
                lease.note(self.info(), AuditId);
            }
            Ok(answer)
        }

        async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
            self.0.extend(lease, at_most).await
        }

        async fn release(&self, lease: &Lease, keep: Duration) -> Result<Ownership, LockError> {
            self.0.release(lease, keep).await
        }
    }

    let router = tenants(tenants_info());
    router.insert("acme", InMemoryLockProvider::new()).unwrap();
    let provider = Audited(router);
    let lock = provider
        .try_lock(config("acme:job", "60s"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
}
