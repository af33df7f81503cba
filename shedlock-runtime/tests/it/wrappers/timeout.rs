//! The wrapper that limits a provider's calls.

use std::future::pending;
use std::time::{Duration, SystemTime};

use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{
    AcquireRequest, Acquisition, ErrorKind, Lease, LockAdmin, LockConfiguration, LockError,
    LockInfo, LockName, LockProvider, LockProviderExt as _, LockRecords, NamespacedLockProvider,
    Operation, Overrule, Ownership, ProviderInfo, Selection, TimeoutLockProvider, async_trait,
};
use tokio::time::Instant;

use super::{
    LONG, Store, config, is_free, leaves_nothing_wherever_it_is_dropped, store, take, until_free,
};

const LIMIT: Duration = Duration::from_secs(2);

#[tokio::test(start_paused = true)]
async fn each_call_to_a_store_that_hangs_ends_at_the_limit() {
    let (inner, records) = store();
    let faulty = FaultyProvider::new(inner);
    let provider = TimeoutLockProvider::new(faulty.clone(), "2s").unwrap();

    faulty.next(Operation::Acquire, Fault::Hang);
    let begin = Instant::now();
    let error = provider.try_lock(config("job")).await.unwrap_err();
    assert_eq!(begin.elapsed(), LIMIT);
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.is_transient());
    assert_eq!(
        error.to_string(),
        "failed to acquire lock `job` in records: no answer within 2s"
    );

    let mut lock = take(&provider, "job").await;
    faulty.next(Operation::Extend, Fault::Hang);
    let begin = Instant::now();
    let error = lock.extend("10m", "0s").await.unwrap_err();
    assert_eq!((begin.elapsed(), error.kind()), (LIMIT, ErrorKind::Timeout));
    assert!(lock.is_held(), "the lease goes on");

    faulty.next(Operation::Release, Fault::Hang);
    let begin = Instant::now();
    let error = lock.unlock().await.unwrap_err();
    assert_eq!((begin.elapsed(), error.kind()), (LIMIT, ErrorKind::Timeout));
    until_free(&records).await;
}

#[tokio::test(start_paused = true)]
async fn background_releases_are_limited_too() {
    let (inner, records) = store();
    let faulty = FaultyProvider::new(inner);
    let provider = TimeoutLockProvider::new(faulty.clone(), "100ms").unwrap();
    let lock = take(&provider, "job").await;
    for _ in 0..3 {
        faulty.next(Operation::Release, Fault::Hang);
    }
    drop(lock);
    // Three times five seconds without the wrapper.
    until_free(&records).await;
    assert_eq!(faulty.calls(Operation::Release), 4);
}

#[tokio::test(start_paused = true)]
async fn what_the_store_granted_unheard_is_given_back() {
    let (inner, records) = store();
    let faulty = FaultyProvider::new(inner);
    let provider = TimeoutLockProvider::new(faulty.clone(), LIMIT).unwrap();
    faulty.next(Operation::Acquire, Fault::HangAfter);
    let error = provider.try_lock(config("job")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    until_free(&records).await;
    leaves_nothing_wherever_it_is_dropped(&provider, &records).await;
}

#[tokio::test(start_paused = true)]
async fn the_lower_limit_holds() {
    let faulty = FaultyProvider::new(store().0);
    let provider = TimeoutLockProvider::new(faulty.clone(), "1m").unwrap();
    for (config, limit) in [
        (config("job"), Duration::from_secs(5)),
        (
            config("job").with_timeout("1s").unwrap(),
            Duration::from_secs(1),
        ),
        (
            LockConfiguration::new("job", "300ms").unwrap(),
            Duration::from_millis(300),
        ),
    ] {
        faulty.next(Operation::Acquire, Fault::Hang);
        let begin = Instant::now();
        assert!(provider.try_lock(config).await.is_err());
        assert_eq!(begin.elapsed(), limit);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_within_the_limit_is_as_without() {
    let faulty = FaultyProvider::new(store().0);
    let provider = TimeoutLockProvider::new(faulty.clone(), LIMIT).unwrap();
    faulty.next(Operation::Acquire, Fault::DelayReply(LIMIT / 2));
    let lock = take(&provider, "job").await;
    assert!(
        provider.info().is_same(faulty.info()),
        "they are the same locks"
    );
    assert!(!is_free(&faulty, "job").await);
    drop(lock);
}

#[test]
fn a_limit_that_no_store_can_keep_is_refused() {
    let refused = |limit: &str| {
        let error = TimeoutLockProvider::new(store().0, limit).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidDuration, "{limit}");
        error.to_string()
    };
    let too_short =
        "a time limit cannot be shorter than a millisecond: no store could answer in time";
    assert_eq!(refused("0s"), too_short);
    assert_eq!(refused("999us"), too_short);
    assert!(refused("soon").contains("`soon`"));
    assert!(refused("40000d").contains("36500 days"));
}

/// A store that drops its calls loudly.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_is_dropped() {
    #[derive(Debug, Clone, Default)]
    struct Hanging(
        shedlock_runtime::InMemoryLockProvider,
        std::sync::Arc<std::sync::atomic::AtomicU32>,
    );

    struct Dropped<'a>(&'a std::sync::atomic::AtomicU32);

    impl Drop for Dropped<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }

    #[shedlock_runtime::async_trait]
    impl shedlock_runtime::LockProvider for Hanging {
        fn info(&self) -> &shedlock_runtime::ProviderInfo {
            self.0.info()
        }

        async fn acquire(
            &self,
            _: &AcquireRequest,
        ) -> Result<Acquisition, shedlock_runtime::LockError> {
            let _dropped = Dropped(&self.1);
            std::future::pending().await
        }

        async fn extend(
            &self,
            _: &shedlock_runtime::Lease,
            _: Duration,
        ) -> Result<shedlock_runtime::Ownership, shedlock_runtime::LockError> {
            unreachable!("nothing is granted")
        }

        async fn release(
            &self,
            _: &shedlock_runtime::Lease,
            _: Duration,
        ) -> Result<shedlock_runtime::Ownership, shedlock_runtime::LockError> {
            unreachable!("nothing is granted")
        }
    }

    let hanging = Hanging::default();
    let provider = TimeoutLockProvider::new(hanging.clone(), LIMIT).unwrap();
    let request = AcquireRequest::new(config("job"), provider.info().clock().boot());
    assert!(provider.acquire(&request).await.is_err());
    assert_eq!(hanging.1.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn operators_go_through_it() {
    let memory = shedlock_runtime::InMemoryLockProvider::new();
    let provider = TimeoutLockProvider::new(memory.clone(), LIMIT).unwrap();
    let _lock = take(&provider, "job").await;
    assert_eq!(provider.list().await.unwrap(), memory.list().await.unwrap());
    assert!(provider.get("job").await.unwrap().unwrap().is_held());
    assert!(provider.force_release("job", "test").await.unwrap());
    let until = std::time::SystemTime::now() + LONG;
    provider.pause("job", until, "test").await.unwrap();
    assert!(memory.get("job").await.unwrap().unwrap().paused);
    assert!(provider.resume("job").await.unwrap());
    assert_eq!(provider.prune(Duration::ZERO).await.unwrap(), 1);
}

/// A store without an answer to anything.
#[derive(Debug, Clone)]
struct Silent(Store);

#[async_trait]
impl LockProvider for Silent {
    fn info(&self) -> &ProviderInfo {
        self.0.info()
    }

    async fn acquire(&self, _: &AcquireRequest) -> Result<Acquisition, LockError> {
        pending().await
    }

    async fn extend(&self, _: &Lease, _: Duration) -> Result<Ownership, LockError> {
        pending().await
    }

    async fn release(&self, _: &Lease, _: Duration) -> Result<Ownership, LockError> {
        pending().await
    }
}

#[async_trait]
impl LockRecords for Silent {
    async fn records(&self, _: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        pending().await
    }

    async fn overrule(&self, _: &LockName, _: &Overrule<'_>) -> Result<bool, LockError> {
        pending().await
    }

    async fn forget(&self, _: &str, _: Duration) -> Result<u64, LockError> {
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_is_told_which_lock_the_store_says_nothing_of() {
    let provider = TimeoutLockProvider::new(Silent(store().0), LIMIT).unwrap();
    let staging = NamespacedLockProvider::new(provider.clone(), "staging").unwrap();
    let until = SystemTime::now() + LONG;
    for errors in [
        errors(&provider, until).await,
        errors(&staging, until).await,
    ] {
        for error in errors.map(|error| error.to_string()) {
            assert!(error.contains(" lock `job` "), "{error}");
            assert!(error.ends_with("records: no answer within 2s"), "{error}");
        }
    }
    let error = provider.list().await.unwrap_err();
    assert_eq!(error.lock(), None);
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

async fn errors(provider: &impl LockAdmin, until: SystemTime) -> [LockError; 4] {
    [
        provider.get("job").await.unwrap_err(),
        provider.force_release("job", "test").await.unwrap_err(),
        provider.pause("job", until, "test").await.unwrap_err(),
        provider.resume("job").await.unwrap_err(),
    ]
}
