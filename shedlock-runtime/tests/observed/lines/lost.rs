//! Lines about locks that are lost, and about releases that fail.

use std::time::Duration;

use futures_util::FutureExt as _;
use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{
    InMemoryLockProvider, LockProviderExt as _, OnLost, Operation, Ownership, host_node_name, lock,
};
use tokio::time::timeout;
use tracing::Level;

use super::super::capture::{line, names, start};
use super::super::store::{AWAY, config, hold, run, seconds, store};
use super::{check, says};

#[tokio::test(start_paused = true)]
async fn a_body_that_outlives_its_lease_is_announced_lost_and_overrun_once_each() {
    start();
    let (store, _records) = store();
    run(&store, config("long", "10s"), seconds(17))
        .await
        .unwrap();
    // The store had freed it, so the release finds it gone; that is no second loss.
    let expected = [
        "lock.acquired",
        "lock.expiring",
        "lock.lost",
        "lock.overrun",
    ];
    assert_eq!(names("long")[..4], expected);
    let expiring = line("long", "lock.expiring");
    check(&expiring, Level::WARN, "long", "records");
    let parts = [
        "the lease of `long` ends at 20",
        "Z (in 2s) and nobody extends it; use `keep_alive`",
    ];
    says(&expiring, &parts);
    let lost = line("long", "lock.lost");
    check(&lost, Level::ERROR, "long", "records");
    assert_eq!(lost.field("reason"), "deadline");
    assert_eq!(lost.field("lock.node"), &*host_node_name());
    let taken = line("long", "lock.acquired");
    assert_eq!(
        lost.field("lock.fencing_token"),
        taken.field("lock.fencing_token")
    );
    says(
        &lost,
        &[
            "lost `long`: its lease ended while it was running; another node may hold it now; the task is told and goes on",
        ],
    );
    let overrun = line("long", "lock.overrun");
    check(&overrun, Level::ERROR, "long", "records");
    assert_eq!(overrun.field("late_ms"), "7000");
    says(
        &overrun,
        &["`long` ran 7s past its lease, perhaps beside another node; give it `keep_alive`"],
    );
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_the_store_took_away_is_lost_and_not_overrun() {
    start();
    let (store, records) = store();
    let config = config("stolen", "10s").with_keep_alive().unwrap();
    let config = config.with_on_lost(OnLost::Notify);
    run(&store, config, async {
        records.delete("stolen");
        lock::lost().await;
        // Far beyond the lease that it would have had.
        seconds(60).await;
    })
    .await
    .unwrap();
    assert_eq!(names("stolen"), ["lock.acquired", "lock.lost"]);
    let lost = line("stolen", "lock.lost");
    check(&lost, Level::ERROR, "stolen", "records");
    assert_eq!(lost.field("reason"), "stolen");
    says(
        &lost,
        &["lost `stolen`: the store says that the lock is not ours; another node may"],
    );
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_is_late_was_not_robbed() {
    start();
    let (store, _) = store();
    let late = store.try_lock(config("late-guard", "10s")).await;
    let late = late.unwrap().unwrap();
    seconds(11).await;
    hold(&store, "late-guard", "10s").await;
    assert_eq!(late.unlock().await.unwrap(), Ownership::Lost);
    let lost = line("late-guard", "lock.lost");
    assert_eq!(lost.field("reason"), "deadline");
    says(&lost, &["its lease had ended when it was to be released"]);
}

#[tokio::test(start_paused = true)]
async fn a_lock_given_back_by_a_cancelled_call_was_not_robbed() {
    start();
    let (store, _records) = store();
    let lock = store.try_lock(config("cancelled", "10m")).await;
    store.next(Operation::Release, Fault::HangAfter);
    // What the background asks comes after the next holder.
    store.next(Operation::Release, Fault::Delay(Duration::from_secs(2)));
    let unlock = timeout(Duration::from_secs(1), lock.unwrap().unwrap().unlock());
    unlock.await.unwrap_err();
    let next = store.try_lock(config("cancelled", "10m")).await.unwrap();
    let next = next.expect("the store has carried out the release");
    seconds(60).await;
    assert_eq!(names("cancelled"), ["lock.acquired", "lock.acquired"]);
    next.unlock().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_loss_that_shows_at_the_release_is_said_then() {
    start();
    let (store, records) = store();
    run(&store, config("gone", "10s"), async {
        records.delete("gone");
    })
    .await
    .unwrap();
    assert_eq!(names("gone"), ["lock.acquired", "lock.lost"]);
    let lost = line("gone", "lock.lost");
    assert_eq!(lost.field("reason"), "stolen");
    says(
        &lost,
        &["lost `gone`: it was gone when it was to be released"],
    );
}

#[tokio::test(start_paused = true)]
async fn a_release_that_fails_says_when_the_lock_frees_itself() {
    start();
    let (store, _records) = store();
    store.next(Operation::Release, AWAY);
    run(&store, config("kept", "10m"), seconds(60))
        .await
        .unwrap();
    let failed = line("kept", "lock.release_failed");
    check(&failed, Level::WARN, "kept", "records");
    assert_eq!(failed.field("error.type"), "unavailable");
    let parts = [
        "could not release `kept`: trying again in the background; it frees itself at 20",
        "Z (in 9m)",
    ];
    says(&failed, &parts);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_is_said_and_what_it_granted_is_taken_back() {
    start();
    let (store, _records) = store();
    store.next(Operation::Acquire, Fault::LoseReply);
    run(&store, config("orphan", "10m"), async {})
        .await
        .unwrap_err();
    seconds(60).await;
    assert_eq!(
        names("orphan"),
        ["lock.indeterminate", "lock.orphan_cleared"]
    );
    let asked = line("orphan", "lock.indeterminate");
    check(&asked, Level::WARN, "orphan", "records");
    let expected = "no answer to the acquisition of `orphan`: not run; taking back what records may have granted until 20";
    says(&asked, &[expected, "Z (in 10m)"]);
    let cleared = line("orphan", "lock.orphan_cleared");
    check(&cleared, Level::DEBUG, "orphan", "records");
    assert_eq!(
        cleared.message(),
        "took back `orphan`, which records had granted without our knowing"
    );
}

#[test]
fn a_lock_that_cannot_be_given_back_is_abandoned_aloud() {
    start();
    // Taken where there is no runtime, and to be given back to a store that takes a while.
    let store = FaultyProvider::new(InMemoryLockProvider::new());
    store.next(Operation::Release, Fault::Hang);
    let lock = store.try_lock(config("abandoned", "10m")).now_or_never();
    drop(lock.unwrap().unwrap().unwrap());
    let abandoned = line("abandoned", "lock.abandoned");
    check(&abandoned, Level::WARN, "abandoned", "memory");
    let expected =
        "did not release `abandoned`: there is no runtime to do it on; it frees itself at 20";
    says(&abandoned, &[expected, "Z (in 9m 5"]);
}
