use std::time::Duration;

use shedlock_runtime::__private::{Job, error_value, run, skip_value};
use shedlock_runtime::testing::{Fault, FaultyProvider, with_provider};
use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, LockConfiguration, LockError, LockProvider,
    LockProviderExt as _, Operation, lock,
};

fn job() -> Job {
    Job::named("job")
        .at_most(Duration::from_secs(10))
        .keep_alive()
}

async fn call<T>(
    provider: impl LockProvider,
    job: Job,
    body: impl Future<Output = T>,
) -> Result<Option<T>, LockError> {
    let body = async { Ok(Some(body.await)) };
    with_provider(provider, run(job, body, skip_value, error_value)).await
}

#[tokio::test(start_paused = true)]
async fn a_body_far_longer_than_its_lease_keeps_the_lock() {
    let provider = FaultyProvider::new(InMemoryLockProvider::new());
    let other = provider.clone();
    let body = async {
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_secs(36)).await;
            assert!(lock::is_held());
            let config = LockConfiguration::new("job", "1s").unwrap();
            assert!(other.try_lock(config).await.unwrap().is_none());
        }
    };
    assert!(call(provider.clone(), job(), body).await.unwrap().is_some());
    assert_eq!(
        provider.calls(Operation::Extend),
        3600 / 5,
        "one extension every half lease"
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_for_less_than_the_lease_costs_nothing() {
    let provider = FaultyProvider::new(InMemoryLockProvider::new());
    for _ in 0..5 {
        provider.next(Operation::Extend, Fault::Fail(ErrorKind::Unavailable));
    }
    let body = tokio::time::sleep(Duration::from_secs(60));
    assert!(call(provider.clone(), job(), body).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stays_away_ends_the_body_with_the_lease() {
    let provider = FaultyProvider::new(InMemoryLockProvider::new());
    for _ in 0..10_000 {
        provider.next(Operation::Extend, Fault::Fail(ErrorKind::Unavailable));
    }
    let start = tokio::time::Instant::now();
    let error = call(provider, job(), std::future::pending::<()>())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Lost);
    // Half a second before the end that others may count on.
    let margin = Duration::from_millis(500);
    let over = start.elapsed() + margin;
    assert!(over >= Duration::from_secs(10) && over < Duration::from_millis(10_010));
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_was_taken_away_ends_the_body_at_the_next_renewal() {
    // Nobody can take a lock away from memory, so the store says so by itself.
    let provider = FaultyProvider::new(InMemoryLockProvider::new());
    provider.next(Operation::Extend, Fault::Fail(ErrorKind::Lost));
    let start = tokio::time::Instant::now();
    let error = call(provider.clone(), job(), std::future::pending::<()>())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), start.elapsed().as_secs()),
        (ErrorKind::Lost, 5)
    );
    provider.next(Operation::Extend, Fault::Fail(ErrorKind::Lost));
    let start = tokio::time::Instant::now();
    let job = job().on_lost_notify();
    call(provider, job, async {
        tokio::time::sleep(Duration::from_secs(20)).await;
    })
    .await
    .unwrap();
    assert_eq!(
        start.elapsed(),
        Duration::from_secs(20),
        "with notify the body goes on"
    );
}

#[tokio::test(start_paused = true)]
async fn at_least_is_kept_through_renewals() {
    let provider = InMemoryLockProvider::new();
    let job = job().at_least(Duration::from_secs(60));
    call(
        provider.clone(),
        job,
        tokio::time::sleep(Duration::from_secs(30)),
    )
    .await
    .unwrap();
    let config = LockConfiguration::new("job", "1s").unwrap();
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert!(provider.try_lock(config.clone()).await.unwrap().is_none());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(provider.try_lock(config).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_forgotten_no_longer_renews() {
    let provider = InMemoryLockProvider::new();
    let mut task = Box::pin(call(provider.clone(), job(), std::future::pending::<()>()));
    assert!(
        tokio::time::timeout(Duration::from_secs(30), task.as_mut())
            .await
            .is_err()
    );
    std::mem::forget(task);
    tokio::time::sleep(Duration::from_secs(11)).await;
    let config = LockConfiguration::new("job", "1s").unwrap();
    assert!(provider.try_lock(config).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_lease_too_short_to_keep_is_refused() {
    for (job, expected) in [
        (
            Job::named("job")
                .at_most(Duration::from_millis(299))
                .keep_alive(),
            "needs an `at_most` of 300ms",
        ),
        (
            job().keep_alive_every(Duration::from_secs(10)),
            "is not shorter than `at_most`",
        ),
    ] {
        let error = call(InMemoryLockProvider::new(), job, async {})
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_the_lock_or_with_patience() {
    let provider = InMemoryLockProvider::new();
    let held = LockConfiguration::new("job", "3s").unwrap();
    let mut lock = provider.try_lock(held.clone()).await.unwrap().unwrap();
    lock.release_on_drop(false);
    let job = || Job::named("job").at_most(Duration::from_secs(10));
    let start = tokio::time::Instant::now();
    let impatient = call(
        provider.clone(),
        job().wait(Duration::from_secs(1)),
        async {},
    )
    .await
    .unwrap();
    assert_eq!(impatient, None);
    assert!(
        start.elapsed() >= Duration::from_secs(1) && start.elapsed() < Duration::from_millis(1_010)
    );
    let patient = call(
        provider.clone(),
        job().wait(Duration::from_secs(60)),
        async {},
    )
    .await
    .unwrap();
    assert_eq!(patient, Some(()));
    assert!(start.elapsed() >= Duration::from_secs(3) && start.elapsed() < Duration::from_secs(6));
}
