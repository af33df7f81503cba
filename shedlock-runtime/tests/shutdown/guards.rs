//! What a shutdown does to guards that are held by hand.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{
    ErrorKind, EventKind, LockEvent, LockProviderExt as _, LockingTaskExecutor, Operation,
    Ownership, SchedulerLock, ShutdownPolicy,
};
use tokio::time::sleep;

use super::{config, over, process, start, taken};

#[tokio::test]
async fn a_guard_by_hand_is_told_and_then_released() {
    let (provider, _executor, _turn) = process().await;
    let guard = provider.try_lock(config("guard")).await.unwrap().unwrap();
    let kept = provider.try_lock(config("lockout")).await.unwrap();
    let mut kept = kept.unwrap();
    kept.release_on_drop(false);
    let report = SchedulerLock::shutdown(ShutdownPolicy::Cancel).await;
    assert_eq!((report.cancelled, report.abandoned), (1, vec![]));
    assert!(!guard.is_held());
    assert_eq!(taken(&provider).await, ["lockout"], "as its holder wished");
    guard.unlock().await.unwrap();
}

#[tokio::test]
async fn a_guard_whose_work_is_awaited_drops_the_work() {
    let (provider, _executor, _turn) = process().await;
    let mut guard = provider.try_lock(config("guard")).await.unwrap().unwrap();
    let work = tokio::spawn(async move {
        let error = guard.keep_alive(pending::<()>()).await.unwrap_err();
        guard.unlock().await.unwrap();
        error.kind()
    });
    while taken(&provider).await.is_empty() {
        tokio::task::yield_now().await;
    }
    sleep(Duration::from_millis(20)).await;
    let report = SchedulerLock::shutdown(ShutdownPolicy::Cancel).await;
    assert_eq!(over(work).await, ErrorKind::ShutDown);
    assert_eq!((report.cancelled, report.abandoned), (1, vec![]));
    assert_eq!(taken(&provider).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_lockout_survives_a_shutdown_whatever_runs_under_its_guard() {
    let (provider, _executor, _turn) = process().await;
    let mut guard = provider.try_lock(config("lockout")).await.unwrap().unwrap();
    guard.release_on_drop(false);
    let holder = tokio::spawn(async move {
        let error = guard.keep_alive(pending::<()>()).await.unwrap_err();
        // Longer than a guard has to be dropped.
        sleep(Duration::from_millis(600)).await;
        (error.kind(), guard)
    });
    while taken(&provider).await.is_empty() {
        tokio::task::yield_now().await;
    }
    sleep(Duration::from_millis(20)).await;
    let report = SchedulerLock::shutdown(ShutdownPolicy::Cancel).await;
    assert_eq!((report.cancelled, report.abandoned), (1, vec![]));
    let (error, guard) = over(holder).await;
    assert_eq!(error, ErrorKind::ShutDown);
    drop(guard);
    assert_eq!(taken(&provider).await, ["lockout"], "as its holder wished");
}

#[tokio::test]
async fn a_lockout_that_its_holder_ends_after_the_shutdown_is_given_back() {
    let (provider, _executor, _turn) = process().await;
    for unlock in [true, false] {
        let mut guard = provider.try_lock(config("lockout")).await.unwrap().unwrap();
        guard.release_on_drop(false);
        let report = SchedulerLock::shutdown(ShutdownPolicy::Cancel).await;
        assert_eq!((report.left, report.abandoned), (0, vec![]));
        assert_eq!(taken(&provider).await, ["lockout"]);
        if unlock {
            assert_eq!(guard.unlock().await.unwrap(), Ownership::Ours);
        } else {
            guard.release_on_drop(true);
            drop(guard);
        }
        assert_eq!(taken(&provider).await, Vec::<String>::new());
        let again = SchedulerLock::shutdown(ShutdownPolicy::Cancel).await;
        assert_eq!((again.cancelled, again.left), (0, 0));
        let builder = SchedulerLock::builder().provider(provider.clone());
        builder.default_at_most("10m").install().unwrap();
    }
}

#[tokio::test]
async fn a_guard_whose_work_panicked_when_it_was_dropped_is_released() {
    struct Panics;
    impl Future for Panics {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("a destructor of a test panics");
        }
    }
    let (provider, _executor, _turn) = process().await;
    let mut guard = provider.try_lock(config("guard")).await.unwrap().unwrap();
    let kept = std::panic::AssertUnwindSafe(guard.keep_alive(Panics));
    kept.catch_unwind().await.unwrap_err();
    assert!(guard.is_held(), "the guard has it still");
    let report = SchedulerLock::shutdown(ShutdownPolicy::Cancel).await;
    assert_eq!((report.cancelled, report.left), (1, 0));
    assert_eq!(taken(&provider).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_extension_that_hangs_does_not_hold_up_a_shutdown() {
    let (memory, executor, _turn) = process().await;
    drop(executor);
    let provider = FaultyProvider::new(memory.clone());
    provider.next(Operation::Extend, Fault::Hang);
    let executor = LockingTaskExecutor::new(provider.clone());
    let config = config("job").with_keep_alive_every("10ms").unwrap();
    let body = start(&executor, config).await;
    while provider.calls(Operation::Extend) == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    let report = SchedulerLock::shutdown(ShutdownPolicy::Cancel).await;
    assert_eq!((report.cancelled, report.left), (1, 0));
    assert_eq!(taken(&memory).await, Vec::<String>::new());
    assert_eq!(over(body).await, Err(ErrorKind::ShutDown));
}

#[tokio::test]
async fn a_guard_that_is_dropped_while_the_shutdown_releases_it_is_released_once() {
    let (memory, _executor, _turn) = process().await;
    let provider = FaultyProvider::new(memory.clone());
    let slow = Fault::DelayReply(Duration::from_millis(100));
    provider.next(Operation::Release, slow);
    let releases = Arc::new(AtomicUsize::new(0));
    let heard = Arc::clone(&releases);
    let listening = SchedulerLock::listen(move |event: &LockEvent| {
        if matches!(event.kind, EventKind::Released { .. }) {
            heard.fetch_add(1, Ordering::SeqCst);
        }
    });
    let guard = provider.try_lock(config("guard")).await.unwrap().unwrap();
    let shutdown = tokio::spawn(SchedulerLock::shutdown(ShutdownPolicy::Cancel));
    while provider.calls(Operation::Release) == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    drop(guard);
    let report = over(shutdown).await;
    assert_eq!((report.left, report.abandoned), (0, vec![]));
    assert_eq!(provider.calls(Operation::Release), 1);
    assert_eq!(releases.load(Ordering::SeqCst), 1);
    assert_eq!(taken(&memory).await, Vec::<String>::new());
    drop(listening.unwrap());
}
