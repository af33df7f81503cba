//! Which run of a lock may begin, where the runtime decides.

use std::time::{Duration, SystemTime};

use shedlock_runtime::testing::{Fault, FaultyProvider, ManualClock};
use shedlock_runtime::{
    Capabilities, ErrorKind, InMemoryLockProvider, LockConfiguration, LockError,
    LockProviderExt as _, LockingTaskExecutor, Operation, Outcome, ProviderInfo,
    RecordLockProvider, SkipReason, testing::InMemoryRecordStore,
};
use tokio::time::Instant;

fn config() -> LockConfiguration {
    LockConfiguration::new("job", "10m").unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_not_for_a_run_that_is_over() {
    let counted = FaultyProvider::new(InMemoryLockProvider::new());
    let executor = LockingTaskExecutor::new(counted.clone());
    let step = |number| config().with_step(number)?.with_wait("1h");
    let begun = Instant::now();
    let first = executor.execute(step(1).unwrap(), async {}).await;
    assert_eq!(first.unwrap(), Outcome::Executed(()));
    for (number, reason) in [(1, SkipReason::AlreadyRan), (3, SkipReason::Gap)] {
        let outcome = executor.execute(step(number).unwrap(), async {}).await;
        assert_eq!(outcome.unwrap(), Outcome::Skipped(reason));
    }
    assert_eq!(counted.calls(Operation::Acquire), 3);
    assert!(begun.elapsed() < Duration::from_secs(1));
}

/// The request without an answer is taken back, and its slot with it.
#[tokio::test(start_paused = true)]
async fn a_slot_that_a_lost_answer_has_begun_is_run_by_who_waits() {
    let (faulty, executor) = faulty_records();
    faulty.next(Operation::Acquire, Fault::LoseReply);
    let slot = config().with_once_per("1h").unwrap();
    let waiting = executor.execute(slot.with_wait("10s").unwrap(), async {});
    assert_eq!(waiting.await.unwrap(), Outcome::Executed(()));
    let slot = config().with_once_per("1h").unwrap();
    let again = executor.execute(slot, async {}).await.unwrap();
    assert_eq!(again, Outcome::Skipped(SkipReason::AlreadyRan));
}

/// Another node has run it meanwhile, or the record cannot be changed: nobody knows here.
#[tokio::test(start_paused = true)]
async fn a_slot_that_a_lost_answer_may_have_begun_is_an_error_and_no_skip() {
    let (faulty, executor) = faulty_records();
    let slot = config().with_once_per("1h").unwrap();
    let ran = executor.execute(slot.clone(), async {}).await;
    assert_eq!(ran.unwrap(), Outcome::Executed(()));
    faulty.next(Operation::Acquire, Fault::LoseReply);
    let waiting = executor.execute(slot.with_wait("10s").unwrap(), async {});
    let error = waiting.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    assert!(error.to_string().contains("call again"), "{error}");
}

fn faulty_records() -> (
    FaultyProvider<RecordLockProvider<InMemoryRecordStore>>,
    LockingTaskExecutor,
) {
    let can = Capabilities::new().with_positions();
    let info = ProviderInfo::new("records").with_capabilities(can);
    let records = RecordLockProvider::new(info, InMemoryRecordStore::new());
    let faulty = FaultyProvider::new(records);
    let executor = LockingTaskExecutor::new(faulty.clone());
    (faulty, executor)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_panics_is_dropped_or_loses_its_lock_is_not_done() {
    let provider = InMemoryLockProvider::new();
    let executor = LockingTaskExecutor::new(provider.clone());
    let step = || config().with_step(1).unwrap();

    let panics = tokio::spawn({
        let executor = executor.clone();
        async move {
            executor
                .execute(step(), async { panic!("a body of a test") })
                .await
        }
    });
    assert!(panics.await.unwrap_err().is_panic());

    let endless = executor.execute(step(), std::future::pending::<()>());
    assert!(
        tokio::time::timeout(Duration::from_secs(1), endless)
            .await
            .is_err()
    );

    let short = LockConfiguration::new("job", "1s").unwrap();
    let short = short.with_on_lost(shedlock_runtime::OnLost::Cancel);
    let lost = executor.execute(short.with_step(1).unwrap(), std::future::pending::<()>());
    assert_eq!(lost.await.unwrap_err().kind(), ErrorKind::Lost);

    let done = executor.execute(step(), async {}).await.unwrap();
    assert_eq!(done, Outcome::Executed(()));
    let again = executor.execute(step(), async {}).await.unwrap();
    assert_eq!(again, Outcome::Skipped(SkipReason::AlreadyRan));
}

#[tokio::test]
async fn a_slot_is_the_nearest_by_the_clock_that_decides() {
    let clock = ManualClock::new();
    let provider = InMemoryLockProvider::with_clock(clock.clone());
    let hourly = || config().with_once_per("1h").unwrap();
    let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(500_000 * 3600);
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    // A node whose clock is early, the next one whose clock is late, and the next hour.
    for (time, runs) in [
        (noon - minutes(29), true),
        (noon + minutes(29), false),
        (noon + minutes(31), true),
        (noon + minutes(89), false),
    ] {
        clock.step_utc(time);
        let lock = provider.try_lock(hourly()).await.unwrap();
        assert_eq!(lock.is_some(), runs, "{time:?}");
        if let Some(lock) = lock {
            lock.complete().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_store_without_positions_is_not_asked() {
    let records = InMemoryRecordStore::new();
    let provider = RecordLockProvider::new(ProviderInfo::new("plain"), records.clone());
    let error = provider
        .try_lock(config().with_step(1).unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(
        error.to_string(),
        "failed to acquire lock `job` in plain: this store keeps no positions, which `once_per`, `instant` and `step` need; keep \
         this lock in a store that does"
    );
    assert!(records.all().is_empty());
}

#[test]
fn bad_input_is_refused_at_once() {
    let message = |result: Result<LockConfiguration, LockError>| result.unwrap_err().to_string();
    assert!(message(config().with_once_per("0s")).starts_with("the period of `once_per` is zero"));
    assert!(message(config().with_once_per("366d")).contains("longer than a year"));
    assert!(message(config().with_step(0)).contains("begins with step 1"));
    assert!(message(config().with_attempts(3)).contains("there is none"));
    let hourly = config().with_once_per("1h").unwrap();
    assert!(message(hourly.with_attempts(0)).contains("`attempts` is zero"));
}
