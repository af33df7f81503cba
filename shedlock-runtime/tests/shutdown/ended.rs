//! What had ended before a shutdown is not counted as cancelled, although its release still waits for the store.

use std::time::Duration;

use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, LockProviderExt as _, LockingTaskExecutor, Operation,
    Ownership, SchedulerLock, ShutdownPolicy,
};
use tokio::time::sleep;

use super::{config, over, process, taken};

const SLOW: Fault = Fault::DelayReply(Duration::from_millis(100));

/// Cancels while the store is asked to release, and says how much that has cancelled.
async fn cancelled_during_release(provider: &FaultyProvider<InMemoryLockProvider>) -> usize {
    while provider.calls(Operation::Release) == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    let report = SchedulerLock::shutdown(ShutdownPolicy::Cancel).await;
    assert_eq!((report.left, report.abandoned), (0, vec![]));
    report.cancelled
}

#[tokio::test]
async fn a_body_that_has_returned_is_not_cancelled() {
    let (memory, _executor, _turn) = process().await;
    let provider = FaultyProvider::new(memory);
    provider.next(Operation::Release, SLOW);
    let executor = LockingTaskExecutor::new(provider.clone());
    let call = tokio::spawn(async move {
        let body = async {
            // One that waits is known to a shutdown.
            sleep(Duration::from_millis(1)).await;
            "done"
        };
        executor.execute(config("body"), body).await.unwrap()
    });
    assert_eq!(cancelled_during_release(&provider).await, 0);
    assert_eq!(over(call).await.executed(), Some("done"));
}

#[tokio::test]
async fn a_guard_that_its_holder_has_given_up_is_not_cancelled() {
    for unlock in [true, false] {
        let (memory, _executor, _turn) = process().await;
        let provider = FaultyProvider::new(memory.clone());
        let guard = provider.try_lock(config("guard")).await.unwrap().unwrap();
        let holder = if unlock {
            provider.next(Operation::Release, SLOW);
            Some(tokio::spawn(guard.unlock()))
        } else {
            let away = Fault::Fail(ErrorKind::Unavailable);
            provider.next(Operation::Release, away);
            drop(guard);
            None
        };
        assert_eq!(cancelled_during_release(&provider).await, 0, "{unlock}");
        if let Some(holder) = holder {
            assert_eq!(over(holder).await.unwrap(), Ownership::Ours);
        }
        assert_eq!(taken(&memory).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_guard_goes_on_after_the_work_under_it() {
    let (provider, _executor, _turn) = process().await;
    let mut guard = provider.try_lock(config("guard")).await.unwrap().unwrap();
    let work = guard.keep_alive(sleep(Duration::from_millis(1))).await;
    work.unwrap();
    let report = SchedulerLock::shutdown(ShutdownPolicy::Cancel).await;
    assert_eq!((report.cancelled, report.left), (1, 0));
    assert!(!guard.is_held());
}
