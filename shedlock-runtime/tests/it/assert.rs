use std::panic::catch_unwind;
use std::time::Duration;

use shedlock_runtime::__private::{assert_locked, assert_locked_by};
use shedlock_runtime::testing::{asserts_pass, make_all_asserts_pass};
use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockingTaskExecutor, lock};

fn message(assert: impl FnOnce() + std::panic::UnwindSafe) -> Option<String> {
    catch_unwind(assert)
        .err()
        .map(|panic| panic.downcast_ref::<String>().unwrap().clone())
}

async fn locked<T>(name: &str, body: impl Future<Output = T>) -> T {
    let config = LockConfiguration::new(name, "1m").unwrap();
    LockingTaskExecutor::new(InMemoryLockProvider::new())
        .execute(config, body)
        .await
        .unwrap()
        .executed()
        .unwrap()
}

#[tokio::test]
async fn without_a_lock_the_panic_says_what_to_do() {
    let message = message(assert_locked).unwrap();
    assert!(
        message.starts_with("lock_assert: expected this task to hold a lock, but it holds none; ")
    );
    for way in [
        "#[scheduler_lock]",
        "shedlock::lock::scope",
        "shedlock::testing::asserts_pass",
    ] {
        assert!(message.contains(way), "{message}");
    }
}

#[tokio::test]
async fn with_a_lock_it_passes_and_looks_at_the_name() {
    locked("a", async {
        assert_eq!(message(assert_locked), None);
        assert_eq!(message(|| assert_locked_by("a")), None);
        assert_eq!(
            message(|| assert_locked_by("b")).unwrap(),
            "lock_assert: expected this task to hold lock `b`, but it holds `a`"
        );
    })
    .await;
}

#[tokio::test]
async fn the_outer_of_two_locks_counts_too() {
    locked(
        "outer",
        locked("inner", async {
            assert_eq!(message(|| assert_locked_by("outer")), None);
            assert_eq!(message(|| assert_locked_by("inner")), None);
        }),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_ended_lease_is_not_a_lock() {
    locked("a", async {
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(
            message(assert_locked).unwrap(),
            "lock_assert: expected this task to hold a lock, but it holds `a`, whose lease has ended"
        );
    })
    .await;
}

/// Another node may do what this function does, whatever its caller holds.
#[tokio::test(start_paused = true)]
async fn a_lock_around_it_does_not_stand_for_the_lost_lock_of_a_function() {
    let long = LockConfiguration::new("outer", "10m").unwrap();
    let inner = locked("inner", async {
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(
            message(assert_locked).unwrap(),
            "lock_assert: expected this task to hold a lock, but it holds `inner`, whose lease has ended and `outer`"
        );
        assert_eq!(message(|| assert_locked_by("outer")), None);
    });
    let outer = async {
        inner.await;
        assert_eq!(message(assert_locked), None);
    };
    let executor = LockingTaskExecutor::new(InMemoryLockProvider::new());
    executor
        .execute(long, outer)
        .await
        .unwrap()
        .executed()
        .unwrap();
}

#[tokio::test]
async fn a_spawned_task_holds_the_lock_only_if_it_was_carried() {
    locked("a", async {
        let alone = tokio::spawn(async { message(assert_locked) });
        assert!(alone.await.unwrap().is_some());
        let carried = tokio::spawn(lock::scope(async { message(assert_locked) }));
        assert_eq!(carried.await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn the_switches_are_idempotent_and_reach_as_far_as_they_say() {
    make_all_asserts_pass(true);
    make_all_asserts_pass(true);
    assert_eq!(message(assert_locked), None);
    make_all_asserts_pass(false);
    assert!(message(assert_locked).is_some());
    asserts_pass(async { assert_eq!(message(assert_locked), None) }).await;
    assert!(message(assert_locked).is_some());
}
