//! `wait` outlasts a holder, and a store that is away.

use std::time::Duration;

use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, LockConfiguration, LockProviderExt as _, LockingTaskExecutor,
    Operation, SkipReason,
};
use tokio::time::Instant;

use super::ambiguous::store as records;

fn store() -> FaultyProvider<InMemoryLockProvider> {
    FaultyProvider::new(InMemoryLockProvider::new())
}

fn patient(wait: &str) -> LockConfiguration {
    let config = LockConfiguration::new("job", "10m").unwrap();
    config.with_wait(wait).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_store_that_comes_back_in_time_is_asked_again() {
    for kind in [
        ErrorKind::Unavailable,
        ErrorKind::Timeout,
        ErrorKind::Indeterminate,
        ErrorKind::ReadOnly,
    ] {
        let store = store();
        for _ in 0..4 {
            store.next(Operation::Acquire, Fault::Fail(kind));
        }
        let executor = LockingTaskExecutor::new(store.clone());
        let ran = executor.execute(patient("30s"), async {}).await.unwrap();
        assert!(ran.was_executed(), "{kind:?}");
        assert_eq!(store.calls(Operation::Acquire), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_slow_to_wake_is_awaited() {
    let store = store();
    // It wakes eight seconds after the first question, and the second comes after five.
    store.next(Operation::Acquire, Fault::Delay(Duration::from_secs(8)));
    store.next(Operation::Acquire, Fault::Delay(Duration::from_secs(3)));
    assert!(store.try_lock(patient("30s")).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn the_last_error_stands_when_the_wait_is_over() {
    let store = store();
    for _ in 0..100 {
        store.next(Operation::Acquire, Fault::Fail(ErrorKind::Unavailable));
    }
    let start = Instant::now();
    let error = store.try_lock(patient("30s")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(
        error.to_string(),
        "failed to acquire lock `job` in memory: a fault on demand"
    );
    assert!(start.elapsed() >= Duration::from_secs(30));
    assert!(start.elapsed() < Duration::from_millis(30_010), "bounded");
}

#[tokio::test(start_paused = true)]
async fn the_last_refusal_stands_whatever_failed_before() {
    let store = store();
    let other = LockConfiguration::new("job", "10m").unwrap();
    let _held = store.try_lock(other).await.unwrap().unwrap();
    store.next(Operation::Acquire, Fault::Fail(ErrorKind::Unavailable));
    let executor = LockingTaskExecutor::new(store);
    let skipped = executor.execute(patient("5s"), async {}).await.unwrap();
    assert_eq!(skipped.skipped(), Some(SkipReason::Held));
}

#[tokio::test(start_paused = true)]
async fn what_waiting_does_not_cure_ends_the_call_at_once() {
    for kind in [ErrorKind::Schema, ErrorKind::Permission, ErrorKind::Other] {
        let store = store();
        store.next(Operation::Acquire, Fault::Fail(kind));
        let start = Instant::now();
        let error = store.try_lock(patient("30s")).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_a_lost_answer_granted_is_taken_back_and_then_had() {
    for fault in [Fault::LoseReply, Fault::HangAfter] {
        let (store, _records) = records();
        store.next(Operation::Acquire, fault);
        store.next(Operation::Release, Fault::Fail(ErrorKind::Unavailable));
        let config = patient("30s").with_at_least("5m").unwrap();
        let start = Instant::now();
        let lock = store.try_lock(config).await.unwrap();
        assert!(lock.is_some(), "{fault:?}: its own orphan kept it away");
        assert!(start.elapsed() < Duration::from_secs(15), "{fault:?}");
        assert!(store.try_lock(patient("1s")).await.unwrap().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_that_arrives_late_does_not_take_the_lock_from_a_later_try() {
    let (store, _records) = records();
    store.next(
        Operation::Acquire,
        Fault::DeliverLate(Duration::from_secs(20)),
    );
    let lock = store.try_lock(patient("30s")).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(lock.is_held());
    lock.unlock().await.unwrap();
    assert!(store.try_lock(patient("1s")).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_between_two_tries_leaves_nothing_behind() {
    let (store, _records) = records();
    store.next(Operation::Acquire, Fault::LoseReply);
    store.next(Operation::Acquire, Fault::Hang);
    let asking = store.try_lock(patient("30s"));
    let given_up = tokio::time::timeout(Duration::from_secs(2), asking);
    given_up.await.unwrap_err();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let config = LockConfiguration::new("job", "10m").unwrap();
    assert!(store.try_lock(config).await.unwrap().is_some());
}
