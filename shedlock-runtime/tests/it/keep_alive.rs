use std::time::Duration;

use shedlock_runtime::__private::{Job, error_value, skip_value};
use shedlock_runtime::testing::{Fault, FaultyProvider, ManualClock, with_provider};
use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, LockAdmin as _, LockConfiguration, LockError, LockProvider,
    LockProviderExt as _, LockingTaskExecutor, Operation, SkipReason, lock,
};

use crate::it::expansion::run;

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
    with_provider(provider, run(job, body, skip_value, error_value, |_| None)).await
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

/// Timers stand still while the system is suspended, and the clock of a lease does not.
#[tokio::test(start_paused = true)]
async fn a_suspended_system_extends_soon_after_it_wakes_up() {
    let clock = ManualClock::new();
    let provider = FaultyProvider::new(InMemoryLockProvider::with_clock(clock.clone()));
    let ten_minutes = || Job::named("job").at_most(Duration::from_secs(600));
    let suspend = |by: u64| {
        let clock = clock.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            clock.advance(Duration::from_secs(by));
        })
    };

    let body = async {
        suspend(400);
        let provider = provider.clone();
        // In another task: whatever wakes this one shows it the clock.
        let count = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(151)).await;
            provider.calls(Operation::Extend)
        });
        count.await.unwrap()
    };
    let extended = call(provider.clone(), ten_minutes().keep_alive(), body).await;
    assert_eq!(extended.unwrap(), Some(1), "after a quarter of the lease");

    let body = async {
        suspend(601);
        let begun = tokio::time::Instant::now();
        lock::lost().await;
        begun.elapsed()
    };
    let told = call(provider.clone(), ten_minutes().on_lost_notify(), body).await;
    assert!(told.unwrap().unwrap() <= Duration::from_secs(151));
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
async fn a_lock_that_was_taken_away_ends_the_body_at_the_next_extension() {
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
async fn at_least_is_kept_through_extensions() {
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
async fn a_future_that_is_forgotten_no_longer_extends() {
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

fn kept() -> LockConfiguration {
    LockConfiguration::new("job", "10s")
        .unwrap()
        .with_keep_alive()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_executor_keeps_a_lock_alive() {
    let provider = InMemoryLockProvider::new();
    let executor = LockingTaskExecutor::new(provider.clone());
    let outcome = executor.execute(kept(), async {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let config = LockConfiguration::new("job", "1s").unwrap();
        lock::is_held() && provider.try_lock(config).await.unwrap().is_none()
    });
    assert_eq!(outcome.await.unwrap().executed(), Some(true));
}

#[tokio::test(start_paused = true)]
async fn the_executor_waits_for_a_lock() {
    let provider = InMemoryLockProvider::new();
    let held = LockConfiguration::new("job", "3s").unwrap();
    let mut lock = provider.try_lock(held).await.unwrap().unwrap();
    lock.release_on_drop(false);
    let executor = LockingTaskExecutor::new(provider.clone());
    let patient = kept().with_wait("1s").unwrap();
    let start = tokio::time::Instant::now();
    let skipped = executor.execute(patient, async {}).await.unwrap();
    assert_eq!(skipped.skipped(), Some(SkipReason::Held));
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert!(start.elapsed() < Duration::from_millis(1_010), "bounded");
    let patient = kept().with_wait("1m").unwrap();
    let ran = executor.execute(patient, async {}).await.unwrap();
    assert!(ran.was_executed() && start.elapsed() >= Duration::from_secs(3));
    assert!(start.elapsed() < Duration::from_secs(6));
}

#[tokio::test(start_paused = true)]
async fn a_guard_is_kept_alive_while_its_work_is_awaited() {
    let provider = FaultyProvider::new(InMemoryLockProvider::new());
    let config = LockConfiguration::new("job", "10s").unwrap();
    let mut guard = provider.try_lock(config).await.unwrap().unwrap();
    let work = async {
        tokio::time::sleep(Duration::from_secs(58)).await;
        lock::is_held()
    };
    assert!(
        guard.keep_alive(work).await.unwrap(),
        "the work has the lock"
    );
    assert!(guard.is_held(), "and the guard has it afterwards");
    let extensions = provider.calls(Operation::Extend);
    assert_eq!(extensions, 11, "one every half lease, none at the end");
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(provider.calls(Operation::Extend), extensions);
    assert!(!guard.is_held(), "nobody extends it now");
    let error = guard.keep_alive(async {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Lost, "what is lost is not kept");
}

#[tokio::test(start_paused = true)]
async fn a_guard_whose_lock_is_taken_away_drops_its_work() {
    let provider = InMemoryLockProvider::new();
    let config = LockConfiguration::new("job", "10s").unwrap();
    let mut guard = provider.try_lock(config).await.unwrap().unwrap();
    provider.force_release("job", "by hand").await.unwrap();
    let start = tokio::time::Instant::now();
    let error = guard
        .keep_alive(std::future::pending::<()>())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Lost);
    assert_eq!(start.elapsed().as_secs(), 5, "at the first extension");
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_guard_and_a_forgotten_keeper_extend_nothing() {
    let provider = InMemoryLockProvider::new();
    let config = LockConfiguration::new("job", "10s").unwrap();
    let mut guard = provider.try_lock(config.clone()).await.unwrap().unwrap();
    let mut keeper = Box::pin(async move { guard.keep_alive(std::future::pending::<()>()).await });
    let kept = tokio::time::timeout(Duration::from_secs(60), keeper.as_mut());
    assert!(kept.await.is_err());
    assert!(provider.try_lock(config.clone()).await.unwrap().is_none());
    std::mem::forget(keeper);
    tokio::time::sleep(Duration::from_secs(11)).await;
    let guard = provider.try_lock(config.clone()).await.unwrap();
    std::mem::forget(guard.unwrap());
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert!(provider.try_lock(config).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_asked_again_within_the_lease() {
    let provider = FaultyProvider::new(InMemoryLockProvider::new());
    provider.next(Operation::Extend, Fault::Hang);
    provider.next(Operation::Extend, Fault::Hang);
    let executor = LockingTaskExecutor::new(provider.clone());
    let body = tokio::time::sleep(Duration::from_secs(60));
    assert!(executor.execute(kept(), body).await.unwrap().was_executed());
}

#[tokio::test(start_paused = true)]
async fn a_late_period_leaves_time_to_fail_once() {
    let provider = FaultyProvider::new(InMemoryLockProvider::new());
    let config = LockConfiguration::new("job", "10s").unwrap();
    let config = config.with_keep_alive_every("9900ms").unwrap();
    for _ in 0..3 {
        provider.next(Operation::Extend, Fault::Fail(ErrorKind::Unavailable));
    }
    let executor = LockingTaskExecutor::new(provider);
    let body = tokio::time::sleep(Duration::from_secs(60));
    assert!(executor.execute(config, body).await.unwrap().was_executed());
}

#[test]
fn what_cannot_be_kept_alive_is_refused_before_anything_is_asked() {
    let config = |at_most| LockConfiguration::new("job", at_most).unwrap();
    for (refused, expected) in [
        (config("299ms").with_keep_alive(), "300ms or more"),
        (config("10s").with_keep_alive_every("10s"), "not shorter"),
        (config("10s").with_keep_alive_every("0s"), "is zero"),
        (
            config("10s").with_keep_alive_every("soon"),
            "expected a duration",
        ),
        (config("10s").with_wait("soon"), "expected a duration"),
    ] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(config("300ms").with_keep_alive().is_ok());
}

#[tokio::test]
async fn a_body_that_blocks_at_first_is_extended_when_it_waits() {
    let provider = InMemoryLockProvider::new();
    let config = LockConfiguration::new("job", "2s").unwrap();
    let executor = LockingTaskExecutor::new(provider);
    let body = async {
        // Not past the end of the lease, but past its first extension.
        std::thread::sleep(Duration::from_millis(1_100));
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        lock::is_held()
    };
    let outcome = executor.execute(config.with_keep_alive().unwrap(), body);
    assert_eq!(outcome.await.unwrap().executed(), Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_shortened_by_hand_is_kept_too() {
    let provider = InMemoryLockProvider::new();
    let executor = LockingTaskExecutor::new(provider.clone());
    let body = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        lock::extend("1s", "0s").await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
    };
    assert!(executor.execute(kept(), body).await.unwrap().was_executed());
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_was_held_a_while_is_extended_in_time() {
    let provider = FaultyProvider::new(InMemoryLockProvider::new());
    let config = LockConfiguration::new("job", "10s").unwrap();
    let mut guard = provider.try_lock(config).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(8)).await;
    let work = tokio::time::sleep(Duration::from_secs(4));
    guard.keep_alive(work).await.unwrap();
    assert_eq!(provider.calls(Operation::Extend), 1, "at once");
}
