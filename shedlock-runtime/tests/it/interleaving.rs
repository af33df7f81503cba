//! Extensions, releases and the end of a body, each in the middle of another.

use std::time::Duration;

use shedlock_runtime::testing::{FaultyProvider, ManualClock};
use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, LockConfiguration, LockingTaskExecutor, OnLost, Operation,
    lock,
};
use tokio::time::{Instant, sleep};

fn config(at_most: &str) -> LockConfiguration {
    LockConfiguration::new("job", at_most).unwrap()
}

fn kept(at_most: &str) -> LockConfiguration {
    config(at_most).with_keep_alive().unwrap()
}

#[tokio::test(start_paused = true)]
async fn keep_alive_does_not_shorten_a_lease_that_was_extended_by_hand() {
    let provider = FaultyProvider::new(InMemoryLockProvider::new());
    let executor = LockingTaskExecutor::new(provider.clone());
    let body = async {
        sleep(Duration::from_secs(1)).await;
        lock::extend("1h", "0s").await.unwrap();
        sleep(Duration::from_secs(1_800)).await;
        assert!(lock::remaining().unwrap() >= Duration::from_secs(1_799));
        assert_eq!(provider.calls(Operation::Extend), 1);
        sleep(Duration::from_secs(3_600)).await;
        lock::is_held()
    };
    let held = executor.execute(kept("10s"), body).await.unwrap();
    assert_eq!(held.executed(), Some(true), "and keeps it after that");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_shortened_elsewhere_ends_on_time_for_all() {
    let executor = LockingTaskExecutor::new(InMemoryLockProvider::new());
    let begun = Instant::now();
    let outcome = executor.execute(config("10m"), async {
        tokio::spawn(lock::scope(async {
            sleep(Duration::from_secs(1)).await;
            lock::extend("2s", "0s").await.unwrap();
        }));
        lock::lost().await;
        begun.elapsed()
    });
    let told = outcome.await.unwrap().executed().unwrap();
    assert!(told < Duration::from_millis(3_010), "{told:?}");

    let begun = Instant::now();
    let cancelled = executor.execute(config("10m").with_on_lost(OnLost::Cancel), async {
        tokio::spawn(lock::scope(async {
            sleep(Duration::from_secs(1)).await;
            lock::extend("2s", "0s").await.unwrap();
        }));
        std::future::pending::<()>().await;
    });
    assert_eq!(cancelled.await.unwrap_err().kind(), ErrorKind::Lost);
    let told = begun.elapsed();
    assert!(told < Duration::from_millis(3_010), "{told:?}");
}

/// On a thread of its own, because what this looks for is a poll that never returns.
#[test]
fn a_kept_body_that_was_stopped_past_its_lease_ends_without_tokios_budget() {
    let (sender, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let clock = ManualClock::new();
        let executor = LockingTaskExecutor::new(InMemoryLockProvider::with_clock(clock.clone()));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let call = executor.execute(kept("10s"), async {
            tokio::task::yield_now().await;
            clock.advance(Duration::from_secs(3_600));
            tokio::task::yield_now().await;
        });
        let answer = runtime.block_on(tokio::task::unconstrained(call));
        sender.send(answer.unwrap_err().kind()).unwrap();
    });
    let ended = ended.recv_timeout(Duration::from_secs(10));
    assert_eq!(ended.unwrap(), ErrorKind::Lost);
}

#[test]
fn a_period_finer_than_stores_count_is_refused() {
    let refused = config("10s").with_keep_alive_every("1ns").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Configuration);
}
