use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use shedlock_runtime::__private::{Job, body as body_of, run};
use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, LockConfiguration, LockProviderExt as _, LockingTaskExecutor,
    Operation, Outcome, SkipReason, lock,
};

fn config() -> LockConfiguration {
    LockConfiguration::new("job", "10m").unwrap()
}

async fn is_free(provider: &InMemoryLockProvider) -> bool {
    provider.try_lock(config()).await.unwrap().is_some()
}

#[tokio::test(start_paused = true)]
async fn one_runs_and_the_other_skips() {
    let provider = InMemoryLockProvider::new();
    let executor = LockingTaskExecutor::new(provider.clone());
    let outcome = executor
        .execute(config(), async {
            let other = LockingTaskExecutor::new(provider.clone());
            tokio::spawn(async move { other.execute(config(), async {}).await.unwrap() })
                .await
                .unwrap()
        })
        .await
        .unwrap();
    assert_eq!(
        outcome,
        Outcome::Executed(Outcome::Skipped(SkipReason::Held))
    );
    assert!(is_free(&provider).await);
}

#[tokio::test(start_paused = true)]
async fn a_panic_passes_through_and_releases() {
    let provider = InMemoryLockProvider::new();
    let executor = LockingTaskExecutor::new(provider.clone());
    let task = executor.execute(config(), async { std::panic::panic_any(42_u8) });
    let panic = futures_util::FutureExt::catch_unwind(AssertUnwindSafe(task))
        .await
        .unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&42_u8));
    assert!(is_free(&provider).await);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_releases() {
    let provider = InMemoryLockProvider::new();
    let executor = LockingTaskExecutor::new(provider.clone());
    let task = executor.execute(config(), pending::<()>());
    assert!(
        tokio::time::timeout(Duration::from_secs(1), task)
            .await
            .is_err()
    );
    assert!(is_free(&provider).await);
}

#[tokio::test(start_paused = true)]
async fn at_least_holds_after_return_panic_and_drop() {
    for how in ["return", "panic", "drop"] {
        let provider = InMemoryLockProvider::new();
        let executor = LockingTaskExecutor::new(provider.clone());
        // Longer than `at_most`: a run that ended keeps the lock for it all the same.
        let config = LockConfiguration::new("job", "1s")
            .unwrap()
            .with_at_least("1m")
            .unwrap();
        let task = executor.execute(config, async {
            match how {
                "return" => (),
                "panic" => panic!("on purpose"),
                _ => pending().await,
            }
        });
        let task = futures_util::FutureExt::catch_unwind(AssertUnwindSafe(task));
        drop(tokio::time::timeout(Duration::from_millis(500), task).await);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(!is_free(&provider).await, "{how}: taken for a minute");
        tokio::time::advance(Duration::from_millis(1_001)).await;
        assert!(is_free(&provider).await, "{how}: then free");
    }
}

#[tokio::test(start_paused = true)]
async fn a_nested_call_runs_directly_while_the_lease_is_live() {
    let provider = InMemoryLockProvider::new();
    let executor = LockingTaskExecutor::new(provider.clone());
    let outcome = executor
        .execute(config(), async {
            let inner = executor.execute(config(), async { 1 }).await.unwrap();
            tokio::time::advance(Duration::from_secs(601)).await;
            // The outer lease is over: the inner call has to take the lock anew, and it is free.
            let token = executor
                .execute(config(), async { lock::fencing_token() })
                .await
                .unwrap();
            (
                inner.executed(),
                token.executed().flatten(),
                lock::fencing_token(),
            )
        })
        .await
        .unwrap();
    assert_eq!(outcome.executed(), Some((Some(1), Some(2), Some(1))));
}

/// The record would say that the first step has been done, and nothing of the second one.
#[tokio::test(start_paused = true)]
async fn a_nested_call_for_another_position_is_refused() {
    let executor = LockingTaskExecutor::new(InMemoryLockProvider::new());
    let step = |number| config().with_step(number).unwrap();
    let slot = || config().with_once_per("1h").unwrap();
    let nested = async |call: LockConfiguration| {
        let ran = executor.execute(call, async {}).await;
        ran.map(|ran| ran.was_executed())
            .map_err(|error| (error.kind(), error.to_string()))
    };
    let outer = async {
        assert_eq!(nested(step(1)).await, Ok(true), "the same step");
        assert_eq!(nested(config()).await, Ok(true), "no step of its own");
        let refused = |ran: Result<bool, (ErrorKind, String)>| {
            let (kind, text) = ran.unwrap_err();
            assert_eq!(kind, ErrorKind::Configuration);
            let said = "failed to acquire lock `job` in memory: this task holds the lock for another slot, instant or step";
            assert!(text.starts_with(said), "{text}");
        };
        refused(nested(step(2)).await);
        refused(nested(slot()).await);
        let later = SystemTime::now() + Duration::from_secs(1);
        refused(nested(config().with_instant(later).unwrap()).await);
    };
    let ran = executor.execute(step(1), outer).await.unwrap();
    assert!(ran.was_executed());
    let outer = async { nested(slot()).await.unwrap_err().0 };
    let ran = executor.execute(config(), outer).await.unwrap();
    assert_eq!(ran.executed(), Some(ErrorKind::Configuration));
}

#[tokio::test(start_paused = true)]
async fn the_same_name_in_another_provider_is_another_lock() {
    let (one, two) = (InMemoryLockProvider::new(), InMemoryLockProvider::new());
    let held = two.try_lock(config()).await.unwrap();
    let outcome = LockingTaskExecutor::new(one)
        .execute(config(), async {
            LockingTaskExecutor::new(two)
                .execute(config(), async {})
                .await
        })
        .await
        .unwrap();
    assert_eq!(
        outcome.executed().unwrap().unwrap(),
        Outcome::Skipped(SkipReason::Held)
    );
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn a_store_error_is_neither_a_skip_nor_a_run() {
    let provider = FaultyProvider::new(InMemoryLockProvider::new());
    provider.next(Operation::Acquire, Fault::Fail(ErrorKind::Unavailable));
    let error = LockingTaskExecutor::new(provider)
        .execute(config(), async { panic!("must not run") })
        .await
        .unwrap_err();
    assert!(error.is_transient());
    assert_eq!(
        error.to_string(),
        "failed to acquire lock `job` in memory: a fault on demand"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_release_keeps_the_result_and_is_tried_again() {
    let memory = InMemoryLockProvider::new();
    let provider = FaultyProvider::new(memory.clone());
    for _ in 0..3 {
        provider.next(Operation::Release, Fault::Fail(ErrorKind::Unavailable));
    }
    let outcome = LockingTaskExecutor::new(provider.clone())
        .execute(config(), async { 42 })
        .await;
    assert_eq!(outcome.unwrap().executed(), Some(42));
    assert!(!is_free(&memory).await, "not released yet");
    while provider.calls(Operation::Release) < 4 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(is_free(&memory).await);
}

#[tokio::test(start_paused = true)]
async fn a_name_too_long_for_the_store_is_refused_before_it_is_asked() {
    use shedlock_runtime::{
        AcquireRequest, Acquisition, Capabilities, Lease, LockError, LockProvider, Ownership,
        ProviderInfo, async_trait,
    };

    #[derive(Debug)]
    struct Narrow(ProviderInfo);

    #[async_trait]
    impl LockProvider for Narrow {
        fn info(&self) -> &ProviderInfo {
            &self.0
        }
        async fn acquire(&self, _: &AcquireRequest) -> Result<Acquisition, LockError> {
            unreachable!("the store must not be asked")
        }
        async fn extend(&self, _: &Lease, _: Duration) -> Result<Ownership, LockError> {
            unreachable!()
        }
        async fn release(&self, _: &Lease, _: Duration) -> Result<Ownership, LockError> {
            unreachable!()
        }
    }

    let narrow = Capabilities::new().with_max_name_chars(64);
    let provider = Narrow(ProviderInfo::new("narrow").with_capabilities(narrow));
    let config = LockConfiguration::new("x".repeat(65), "1m").unwrap();
    let error = LockingTaskExecutor::new(provider)
        .execute(config, async {})
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidName);
    assert!(
        error
            .to_string()
            .ends_with("at most 64 characters here; this one has 65"),
        "{error}"
    );
}

#[tokio::test]
async fn no_call_keeps_its_body_twice() {
    async fn large() -> usize {
        let large = [0_u8; 10_000];
        std::future::ready(()).await;
        large.len()
    }
    let provider = InMemoryLockProvider::new();
    let executor = LockingTaskExecutor::new(provider.clone());
    let mut lock = provider.try_lock(config()).await.unwrap().unwrap();
    let body = size_of_val(&large());
    let expanded = async {
        let body = body_of(large());
        run(&Job::named("job"), pin!(body), |_| 0, |_| 0, |_| None).await
    };
    for (call, size) in [
        ("expansion", size_of_val(&expanded)),
        ("execute", size_of_val(&executor.execute(config(), large()))),
        ("keep_alive", size_of_val(&lock.keep_alive(large()))),
    ] {
        println!("{call}: {size} bytes for a body of {body}");
        assert!(
            size < body + 2_560,
            "{call}: {size} bytes for a body of {body}"
        );
    }
}
