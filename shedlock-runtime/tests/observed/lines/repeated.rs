//! Lines that are repeated at most once a minute.

use std::time::Duration;

use shedlock_runtime::__private::{Job, error_value, skip_value};
use shedlock_runtime::testing::with_provider;
use shedlock_runtime::{
    InMemoryLockProvider, LockAdmin as _, LockProvider as _, LockProviderExt as _, Operation,
};
use tracing::Level;

use super::super::capture::{lines, names, start};
use super::super::expansion::run as call;
use super::super::store::{AWAY, config, run, seconds, store};
use super::{check, loud, says};

#[tokio::test(start_paused = true)]
async fn a_pause_is_said_once_a_minute_however_often_the_job_is_due() {
    start();
    let memory = InMemoryLockProvider::new();
    let until = memory.info().clock().utc() + Duration::from_secs(3600);
    memory.pause("ticking", until, "a test").await.unwrap();
    for _ in 0..90 {
        run(&memory, config("ticking", "10m"), async {})
            .await
            .unwrap();
        seconds(1).await;
    }
    let skips = names("ticking").len() - 1;
    assert_eq!(skips, 90, "each is said at DEBUG");
    assert_eq!(
        loud("ticking"),
        ["lock.paused", "lock.skipped", "lock.skipped"]
    );
}

#[tokio::test(start_paused = true)]
async fn errors_that_no_caller_sees_are_said_once_a_minute() {
    start();
    let (store, _records) = store();
    for _ in 0..4 {
        store.next(Operation::Acquire, AWAY);
    }
    with_provider(store, async {
        for _ in 0..4 {
            let job = Job::named("away").at_most(Duration::from_secs(600));
            call::<(), _>(
                job,
                async { panic!("no lock") },
                skip_value,
                error_value,
                |()| None,
            )
            .await;
            seconds(25).await;
        }
    })
    .await;
    let lines = lines("away");
    assert_eq!(lines.len(), 2, "at 0 and 75 s, not at 25 and 50: {lines:?}");
    for line in &lines {
        assert_eq!((line.name, line.level), ("lock.error", Level::ERROR));
        assert_eq!(line.field("event"), "lock.error");
        assert_eq!(line.field("lock.provider"), "records");
        assert_eq!(line.field("error.type"), "unavailable");
        assert_eq!(line.field("error.transient"), "true");
        says(
            line,
            &["did not run: failed to acquire lock `away` in records: a fault on demand"],
        );
    }
    says(&lines[1], &["; errors since the last line: 2"]);
}

#[tokio::test(start_paused = true)]
async fn an_error_in_one_store_does_not_hide_that_in_another() {
    start();
    for _ in 0..2 {
        let (store, _records) = store();
        for _ in 0..2 {
            store.next(Operation::Acquire, AWAY);
        }
        with_provider(store, async {
            for _ in 0..2 {
                let job = Job::named("away-everywhere");
                call(job, async {}, skip_value, error_value, |()| None).await;
            }
        })
        .await;
    }
    let expected = ["lock.error", "lock.error"];
    assert_eq!(names("away-everywhere"), expected, "one of each store");
}

#[tokio::test(start_paused = true)]
async fn attempts_that_are_used_up_are_an_error_once_a_minute() {
    start();
    let memory = InMemoryLockProvider::new();
    let once = config("exhausted", "10s").with_once_per("300d").unwrap();
    let once = once.with_attempts(1).unwrap();
    // A run that does not say that it is done.
    drop(memory.try_lock(once.clone()).await.unwrap().unwrap());
    for _ in 0..3 {
        assert!(memory.try_lock(once.clone()).await.unwrap().is_none());
    }
    let mut told = lines("exhausted");
    told.retain(|line| line.level == Level::ERROR);
    assert_eq!(told.len(), 1, "{told:?}");
    check(&told[0], Level::ERROR, "exhausted", "memory");
    says(
        &told[0],
        &[
            "skipped `exhausted`: all attempts are used up",
            "look at its errors",
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn a_pause_in_one_store_does_not_hide_that_in_another() {
    start();
    let until = std::time::SystemTime::now() + Duration::from_secs(3600);
    for _ in 0..2 {
        let store = InMemoryLockProvider::new();
        store.pause("paused-everywhere", until, "").await.unwrap();
        for _ in 0..2 {
            run(&store, config("paused-everywhere", "10m"), async {})
                .await
                .unwrap();
        }
    }
    let lines = lines("paused-everywhere");
    let paused = lines.iter().find(|line| line.name == "lock.paused");
    let message = paused.expect("the operator's line").message();
    let end = humantime::format_rfc3339_seconds(until);
    assert_eq!(
        message,
        format!("an operator has paused `paused-everywhere` until {end}")
    );
    let loud = ["lock.paused", "lock.skipped"].repeat(2);
    assert_eq!(self::loud("paused-everywhere"), loud, "one of each store");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stays_away_warns_once_a_minute_of_a_long_lease() {
    start();
    let (store, _records) = store();
    for _ in 0..150 {
        store.next(Operation::Extend, AWAY);
    }
    let config = config("pressed", "10m").with_keep_alive().unwrap();
    run(&store, config, seconds(540)).await.unwrap();
    let failed = names("pressed");
    let failed = failed.iter().filter(|name| **name == "lock.extend_failed");
    assert_eq!(failed.count(), 150, "each is said at DEBUG");
    let loud = loud("pressed");
    assert!((2..=4).contains(&loud.len()), "{loud:?}");
}
