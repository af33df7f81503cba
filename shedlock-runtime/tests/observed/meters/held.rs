//! The number of locks that are held at this moment.

use std::time::Duration;

use shedlock_runtime::testing::Fault;
use shedlock_runtime::{InMemoryLockProvider, LockProviderExt as _, Operation};

use super::super::prometheus::Recorder;
use super::super::store::{AWAY, config, run, seconds, store};

#[tokio::test(start_paused = true)]
async fn the_locks_that_are_held_balance() {
    let recorder = Recorder::start();
    let (store, records) = store();
    let held = || recorder.all("m-held")["shedlock_held provider=records"];
    let take = async || {
        store
            .try_lock(config("m-held", "10s"))
            .await
            .unwrap()
            .unwrap()
    };

    let lock = take().await;
    assert_eq!(held(), 1.0);
    lock.unlock().await.unwrap();
    assert_eq!(held(), 0.0, "released");

    drop(take().await);
    seconds(1).await;
    assert_eq!(held(), 0.0, "dropped");

    let mut lock = take().await;
    lock.release_on_drop(false);
    drop(lock);
    assert_eq!(held(), 0.0, "left to its lease");
    seconds(11).await;

    let mut lock = take().await;
    records.delete("m-held");
    lock.extend("10s", "0s").await.unwrap_err();
    assert_eq!(held(), 0.0, "lost");
    let other = take().await;
    assert_eq!(held(), 1.0);
    drop(lock);
    assert_eq!(held(), 1.0, "its end is counted once");
    drop(other);
    seconds(1).await;

    for _ in 0..3 {
        store.next(Operation::Release, AWAY);
    }
    drop(take().await);
    assert_eq!(
        held(),
        0.0,
        "nobody uses it, although the store has not heard"
    );
    seconds(11).await;

    store.next(Operation::Acquire, Fault::LoseReply);
    store.try_lock(config("m-held", "10s")).await.unwrap_err();
    assert_eq!(held(), 0.0, "never granted");
    seconds(11).await;

    let task = run(&store, config("m-held", "10s"), seconds(60));
    let aborted = tokio::time::timeout(Duration::from_secs(1), task).await;
    assert!(aborted.is_err());
    seconds(1).await;
    assert_eq!(held(), 0.0, "aborted");

    let panicked = run(&store, config("m-held", "10s"), async {
        panic!("a body of a test")
    });
    let panicked = std::panic::AssertUnwindSafe(panicked);
    assert!(
        futures_util::FutureExt::catch_unwind(panicked)
            .await
            .is_err()
    );
    seconds(1).await;
    assert_eq!(held(), 0.0, "panicked");
    assert_eq!(
        recorder.all("m-held")["shedlock_body_seconds_count outcome=panicked provider=records"],
        1.0
    );
}

#[tokio::test(start_paused = true)]
async fn a_recorder_that_comes_late_is_told_from_then_on() {
    let memory = InMemoryLockProvider::new();
    let early = memory
        .try_lock(config("m-late", "10m"))
        .await
        .unwrap()
        .unwrap();
    let recorder = Recorder::start();
    early.unlock().await.unwrap();
    let held = || recorder.all("m-late")["shedlock_held provider=memory"];
    assert_eq!(held(), 0.0, "an end without a beginning is not counted");
    let late = memory
        .try_lock(config("m-late", "10m"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(held(), 1.0);
    assert_eq!(
        recorder.all("m-late")["shedlock_acquired provider=memory"],
        1.0
    );
    let next = Recorder::start();
    let under_next = memory.try_lock(config("m-late-2", "10m").with_template("m-late"));
    let under_next = under_next.await.unwrap().unwrap();
    late.unlock().await.unwrap();
    let held = next.all("m-late")["shedlock_held provider=memory"];
    assert_eq!(
        held, 1.0,
        "what began under another recorder does not end under this one"
    );
    under_next.unlock().await.unwrap();
}
