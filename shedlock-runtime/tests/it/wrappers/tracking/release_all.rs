//! The release of all locks that a process holds.

use std::future::pending;
use std::time::Duration;

use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{
    Clock as _, ErrorKind, InMemoryLockProvider, LockAdmin as _, LockProviderExt as _,
    LockingTaskExecutor, Operation, TokioClock, TrackingLockProvider,
};
use tokio::time::{Instant, sleep};

use super::super::{LONG, config, drop_after, is_free, store, take};
use super::{faulty, names};

#[tokio::test(start_paused = true)]
async fn all_are_given_back_and_what_became_of_each_is_told() {
    let (provider, faulty, records) = faulty();
    let locks = [
        take(&provider, "a").await,
        take(&provider, "b").await,
        take(&provider, "c").await,
    ];
    faulty.next(Operation::Release, Fault::Fail(ErrorKind::Unavailable));
    let report = provider.release_all().await;
    assert_eq!(
        (report.released, report.lost, report.failed.len()),
        (2, 0, 1)
    );
    let error = &report.failed[0];
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.operation(), Some(Operation::Release));
    assert_eq!(error.provider(), Some("records"));
    assert_eq!(
        names(&provider),
        [error.lock().unwrap()],
        "it is still held"
    );
    assert_eq!(records.taken(), names(&provider));

    let report = provider.release_all().await;
    assert_eq!((report.released, report.failed.len()), (1, 0));
    assert!(records.taken().is_empty());
    assert_eq!(
        provider.release_all().await.released,
        0,
        "there is nothing left"
    );
    drop(locks);
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_away_is_told_as_lost() {
    let memory = InMemoryLockProvider::new();
    let provider = TrackingLockProvider::new(memory.clone());
    let _lock = take(&provider, "job").await;
    memory.force_release("job", "a test").await.unwrap();
    let report = provider.release_all().await;
    assert_eq!(
        (report.released, report.lost, report.failed.len()),
        (0, 1, 0)
    );
    assert!(provider.held().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_does_not_hold_up_the_end() {
    let (provider, faulty, records) = faulty();
    let mut locks = Vec::new();
    for n in 0..50 {
        locks.push(take(&provider, &format!("job-{n}")).await);
        faulty.next(Operation::Release, Fault::Hang);
    }
    let begin = Instant::now();
    let report = provider.release_all().await;
    assert_eq!(report.failed.len(), 50);
    assert_eq!(report.failed[0].kind(), ErrorKind::Timeout);
    assert_eq!(
        begin.elapsed(),
        Duration::from_secs(5),
        "all at the same time"
    );
    assert_eq!(provider.held().len(), 50);
    assert_eq!(provider.release_all().await.released, 50);
    assert!(records.taken().is_empty());
}

#[tokio::test(start_paused = true)]
async fn more_locks_than_are_given_back_at_once() {
    let provider = TrackingLockProvider::new(store().0);
    let mut locks = Vec::new();
    for n in 0..2_500 {
        let mut lock = take(&provider, &format!("job-{n}")).await;
        // So many releases at once would take the places of other tests' in the background.
        lock.release_on_drop(false);
        locks.push(lock);
    }
    assert_eq!(provider.release_all().await.released, 2_500);
    assert!(provider.held().is_empty());
}

#[tokio::test(start_paused = true)]
async fn at_least_is_kept_also_what_extensions_added() {
    let (inner, _records) = store();
    let provider = TrackingLockProvider::new(inner.clone());
    let kept = config("kept").with_at_least("1m").unwrap();
    let _kept = provider.try_lock(kept).await.unwrap().unwrap();
    let mut extended = take(&provider, "extended").await;
    sleep(Duration::from_secs(10)).await;
    extended.extend(LONG, "2m").await.unwrap();
    extended.extend(LONG, "0s").await.unwrap();

    assert_eq!(provider.release_all().await.released, 2);
    assert!(
        provider.held().is_empty(),
        "they are not ours, if not free either"
    );
    sleep(Duration::from_secs(49)).await;
    assert!(!is_free(&inner, "kept").await);
    sleep(Duration::from_secs(2)).await;
    assert!(is_free(&inner, "kept").await);
    assert!(!is_free(&inner, "extended").await);
    sleep(Duration::from_secs(69)).await;
    assert!(is_free(&inner, "extended").await);
}

#[tokio::test(start_paused = true)]
async fn at_least_counts_from_a_slow_answer() {
    let memory = InMemoryLockProvider::new();
    let faulty = FaultyProvider::new(memory.clone());
    let provider = TrackingLockProvider::new(faulty.clone());
    faulty.next(
        Operation::Acquire,
        Fault::DelayReply(Duration::from_secs(3)),
    );
    let config = config("job").with_at_least("1m").unwrap();
    let _lock = provider.try_lock(config).await.unwrap().unwrap();
    assert_eq!(provider.held()[0].since, TokioClock.utc());
    assert_eq!(provider.release_all().await.released, 1);
    sleep(Duration::from_secs(59)).await;
    assert!(!is_free(&memory, "job").await);
    sleep(Duration::from_secs(1)).await;
    assert!(is_free(&memory, "job").await);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_after_the_release_does_not_bring_it_back() {
    let (provider, faulty, records) = faulty();
    let lock = take(&provider, "job").await;
    faulty.next(Operation::Extend, Fault::DelayReply(Duration::from_secs(2)));
    let extending = tokio::spawn(async move {
        let mut lock = lock;
        let answer = lock.extend(LONG, "0s").await;
        (lock, answer)
    });
    sleep(Duration::from_secs(1)).await;
    assert_eq!(provider.release_all().await.released, 1);
    let (lock, answer) = extending.await.unwrap();
    answer.unwrap_err();
    assert!(provider.held().is_empty());
    assert!(records.taken().is_empty());
    drop(lock);
}

/// What `at_least` leaves of a lock that was given back is no lease, and its old holder cannot make it one again.
#[tokio::test(start_paused = true)]
async fn what_was_given_back_cannot_be_extended_while_at_least_lasts() {
    let at_least = Duration::from_secs(60);
    let config = config("job").with_at_least(at_least).unwrap();

    // Kept alive by its task.
    let (provider, _faulty, records) = faulty();
    let kept = LockingTaskExecutor::new(provider.clone());
    let config_kept = config.clone().with_keep_alive_every("5s").unwrap();
    let running = tokio::spawn(async move { kept.execute(config_kept, pending::<()>()).await });
    sleep(Duration::from_secs(1)).await;
    assert_eq!(provider.release_all().await.released, 1);
    sleep(at_least).await;
    assert!(records.taken().is_empty(), "it was extended");
    assert!(provider.held().is_empty());
    running.abort();

    // With an extension on its way.
    let (provider, faulty, records) = self::faulty();
    let mut lock = provider.try_lock(config).await.unwrap().unwrap();
    faulty.next(Operation::Extend, Fault::Delay(Duration::from_secs(2)));
    let extending = tokio::spawn(async move { lock.extend(LONG, "0s").await.map_err(drop) });
    sleep(Duration::from_secs(1)).await;
    assert_eq!(provider.release_all().await.released, 1);
    assert_eq!(extending.await.unwrap(), Err(()), "it is lost");
    sleep(at_least).await;
    assert!(records.taken().is_empty(), "it was extended");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_release_of_all_can_be_made_again() {
    let (provider, faulty, records) = faulty();
    let locks = [take(&provider, "a").await, take(&provider, "b").await];
    faulty.next(Operation::Release, Fault::Hang);
    assert!(!drop_after(100, provider.release_all()).await);
    assert_eq!(names(&provider), records.taken());
    assert_eq!(provider.held().len(), 1);
    assert_eq!(provider.release_all().await.released, 1);
    assert!(records.taken().is_empty());
    drop(locks);
}
