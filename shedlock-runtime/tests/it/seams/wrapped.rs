//! Providers behind providers: limits, notes and identities.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use shedlock_runtime::testing::{Fault, FaultyProvider, InMemoryRecordStore};
use shedlock_runtime::{
    AcquireRequest, Acquisition, Capabilities, ErrorKind, InMemoryLockProvider, Lease, LockError,
    LockProvider, LockProviderExt as _, LockingTaskExecutor, NamespacedLockProvider, Operation,
    Ownership, ProviderInfo, RecordLockProvider, RoutingLockProvider, TokioClock, async_trait,
};

use super::{SECOND, config};

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
