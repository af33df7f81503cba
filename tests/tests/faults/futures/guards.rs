//! Guards that are dropped, or not, where they were not made to be.

use std::mem;
use std::time::Duration;

use shedlock::{ErrorKind, LockConfiguration, LockProviderExt as _, lock, lock_assert};
use shedlock_testkit::server_or_skip;
use shedlock_tests::holds::monotonic_nanos;

use super::{MINUTE, job};
use crate::support::{Child, Place, Scenario, cases, config, in_time, is_free, nanos, take, until};

cases! {
    b6_a_guard_dropped_on_a_plain_thread on sqlite postgres mariadb;
    b7_mem_forget_of_a_guard on sqlite postgres;
    b7_mem_forget_of_a_call_that_is_kept_alive on sqlite postgres;
    b8_an_abort on sqlite postgres;
    b9_a_nested_call on sqlite postgres mariadb;
    b9_a_nested_call_after_the_lease on postgres;
    b10_lock_assert_in_other_tasks_and_threads on postgres;
}

const BRIEF: Duration = Duration::from_millis(400);
/// A lease that is to be kept beside whatever else the machine does: two extensions may come late, or not at all.
const KEPT: Duration = Duration::from_secs(2);

/// The runtime that took the lock gives it back.
async fn b6_a_guard_dropped_on_a_plain_thread(place: Place) {
    let locks = place.connect().await;
    let (lock, _) = take(&locks, "job", MINUTE).await;
    let dropped = std::thread::spawn(move || drop(lock)).join();
    dropped.expect("it does not panic");
    until(async || is_free(&locks, "job").await.then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b6_a_guard_dropped_on_another_runtime() {
    let place = server_or_skip!(Place::postgres().await);
    let locks = place.connect().await;
    let (lock, _) = take(&locks, "job", MINUTE).await;
    let other = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().expect("a runtime");
        runtime.block_on(async { drop(lock) });
        // And ends at once, with whatever it was given to do.
    });
    other.join().expect("it does not panic");
    until(async || is_free(&locks, "job").await.then_some(())).await;
}

/// Nobody can give it back, and nothing keeps it: it is free at the end of its lease.
async fn b7_mem_forget_of_a_guard(place: Place) {
    let locks = place.connect().await;
    let kept = LockConfiguration::new("job", BRIEF).expect("legal");
    let kept = kept.with_keep_alive().expect("legal");
    let asked = monotonic_nanos();
    let lock = locks.try_lock(kept).await.expect("the store answers");
    mem::forget(lock.expect("it is free"));
    let (heir, granted) = take(&locks, "job", MINUTE).await;
    assert!(granted >= asked + nanos(BRIEF), "taken over too early");
    assert!(
        granted < asked + nanos(BRIEF + Duration::from_secs(3)),
        "kept alive"
    );
    heir.unlock().await.expect("the store answers");
}

/// Polled for a while, past several extensions, and then never again: whoever does not poll does not extend.
async fn b7_mem_forget_of_a_call_that_is_kept_alive(place: Place) {
    let locks = place.connect().await;
    let call = {
        let locks = std::sync::Arc::clone(&locks);
        async move {
            let kept = config("job", KEPT).with_keep_alive().expect("legal");
            let executor = shedlock::LockingTaskExecutor::new(locks);
            executor
                .execute(kept, std::future::pending::<()>())
                .await
                .map(drop)
        }
    };
    let mut call = Box::pin(call);
    // Not while it extends: what is forgotten with an answer on its way keeps its connection.
    let polled = tokio::time::timeout(KEPT / 4 * 9, &mut call).await;
    assert!(polled.is_err(), "it has no end");
    assert!(!is_free(&locks, "job").await, "it was extended until now");
    let forgotten = monotonic_nanos();
    mem::forget(call);
    let (heir, granted) = take(&locks, "job", MINUTE).await;
    assert!(
        granted < forgotten + nanos(KEPT + Duration::from_secs(3)),
        "kept alive"
    );
    heir.unlock().await.expect("the store answers");
}

/// A process that aborts gives nothing back: what `panic = "abort"` makes of a panic.
async fn b8_an_abort(place: Place) {
    let lease = Duration::from_secs(1);
    let mut child = Child::start(Scenario::Abort, &place.url, lease);
    let status = child.ended().await;
    assert!(!status.success(), "{status}");
    let asked = child.until("ask").await.at;
    let locks = place.connect().await;
    let (heir, granted) = take(&locks, "job", MINUTE).await;
    assert!(granted >= asked + nanos(lease), "taken over too early");
    assert_eq!(child.count("enter"), 1);
    heir.unlock().await.expect("the store answers");
}

/// The same task, the same lock: it runs, as in ShedLock. Another task is another matter.
async fn b9_a_nested_call(place: Place) {
    let locks = place.connect().await;
    let nested = async {
        let inner = job(&locks, async { 1 }).await.expect("the store answers");
        assert_eq!(inner.executed(), Some(1), "its own lock");
        assert!(lock::is_held(), "the inner call has not given it back");
        let other = {
            let locks = std::sync::Arc::clone(&locks);
            tokio::spawn(async move { job(&locks, async { 2 }).await })
        };
        let other = other.await.expect("no panic").expect("the store answers");
        assert_eq!(other.executed(), None, "another task holds nothing");
    };
    let ran = in_time(Box::pin(job(&locks, nested)))
        .await
        .expect("the store answers");
    assert_eq!(ran.executed(), Some(()));
    assert!(is_free(&locks, "job").await);
}

/// The outer lease has ended and somebody else has the lock: the inner call holds nothing any more.
async fn b9_a_nested_call_after_the_lease(place: Place) {
    let locks = place.connect().await;
    let executor = shedlock::LockingTaskExecutor::new(std::sync::Arc::clone(&locks));
    let outer = async {
        lock::lost().await;
        let (heir, _) = take(&place.connect().await, "job", MINUTE).await;
        let inner = job(&locks, async {}).await.expect("the store answers");
        assert_eq!(inner.executed(), None, "the lease is gone");
        heir.unlock().await.expect("the store answers");
    };
    let ran = in_time(Box::pin(executor.execute(config("job", BRIEF), outer))).await;
    assert_eq!(ran.expect("the store answers").executed(), Some(()));
}

/// Other tasks and threads hold what was carried to them, and nothing else.
async fn b10_lock_assert_in_other_tasks_and_threads(place: Place) {
    let locks = place.connect().await;
    let body = async {
        lock_assert!("job");
        let failed = tokio::spawn(async { lock_assert!("job") }).await;
        let panic = failed.expect_err("it holds nothing").into_panic();
        let told = panic.downcast_ref::<String>().expect("a message");
        assert!(told.contains("lock::scope"), "{told}");
        let failed = tokio::task::spawn_blocking(|| lock_assert!()).await;
        assert!(failed.expect_err("it holds nothing").is_panic());
        let failed = std::thread::spawn(|| lock_assert!()).join();
        assert!(failed.is_err(), "it holds nothing");
        let carried = tokio::spawn(lock::scope(async { lock_assert!("job") })).await;
        carried.expect("it was carried there");
        lock_assert!("job");
    };
    let ran = in_time(job(&locks, body)).await.expect("the store answers");
    assert_eq!(ran.executed(), Some(()));
}

/// What b7 and b8 rest on: a store that says "lost" is believed.
#[tokio::test]
async fn an_extension_after_the_lease_says_lost() {
    let place = Place::sqlite().await.expect("a file");
    let locks = place.connect().await;
    let (mut lock, _) = take(&locks, "job", BRIEF).await;
    let (heir, _) = take(&locks, "job", MINUTE).await;
    let error = lock
        .extend(MINUTE, "0s")
        .await
        .expect_err("it is the heir's");
    assert_eq!(error.kind(), ErrorKind::Lost);
    heir.unlock().await.expect("the store answers");
}
