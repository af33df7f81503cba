//! The holder lives and is late: suspended, starved, blocked by its own body.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use shedlock::testing::ManualClock;
use shedlock::{ErrorKind, LockError, LockProviderExt as _, ToDuration as _, scheduler_lock};
use shedlock_sqlx::PostgresLockProvider;
use shedlock_testkit::server_or_skip;
use shedlock_tests::holds::monotonic_nanos;

use crate::support::{
    Child, Locks, Place, Scenario, cases, config, in_time, is_free, nanos, take, until,
};

cases! {
    a10_cpu_starvation on postgres;
    a11_a_body_that_blocks_the_executor on sqlite postgres;
}

#[scheduler_lock(name = "job", at_most = "1m", on_lost = "cancel", provider = locks)]
async fn job(locks: &Locks, body: impl Future<Output = ()>) -> Result<(), LockError> {
    body.await;
    Ok(())
}

/// A suspended machine: its boot clock has gone on, and every other clock that the process could ask stood still.
#[tokio::test]
async fn a9_suspended_for_longer_than_the_lease() {
    let place = server_or_skip!(Place::postgres().await);
    let clock = ManualClock::new();
    let provider = PostgresLockProvider::builder_from_url(&place.url).time_source(clock.clone());
    let locks: Locks = Arc::new(provider.build().expect("legal options"));
    let polls = Arc::new(AtomicUsize::new(0));
    let body = {
        let polls = Arc::clone(&polls);
        std::future::poll_fn(move |cx| {
            if polls.fetch_add(1, Ordering::Relaxed) == 0 {
                clock.advance(Duration::from_hours(1));
            }
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        })
    };
    let error = in_time(job(&locks, body)).await.expect_err("it was lost");
    assert_eq!(error.kind(), ErrorKind::Lost, "{error}");
    assert_eq!(polls.load(Ordering::Relaxed), 1, "polls of the body");
    assert!(is_free(&locks, "job").await, "it was given back");
}

/// Threads that never rest keep the extensions from their time: each is made in time, or the loss is announced.
async fn a10_cpu_starvation(place: Place) {
    let locks = place.connect().await;
    let lease = Duration::from_millis(300);
    let mut child = Child::start_last_in_line(Scenario::Starve, &place.url, lease);
    let entered = child.until("enter").await.at;
    let mut taken = None;
    while taken.is_none() && monotonic_nanos() < entered + nanos(lease * 5) {
        let other = locks.try_lock(config("job", Duration::from_mins(10))).await;
        taken = other
            .expect("the store answers")
            .map(|lock| (lock, monotonic_nanos()));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let Some((heir, granted)) = taken else {
        println!("extended in time for {:?}", lease * 5);
        assert!(
            child.last_step() > entered + nanos(lease * 2),
            "it works on"
        );
        child.kill().await;
        return;
    };
    child.until("failed: Lost").await;
    let at_work = child.notes();
    // A poll that began in time may have been interrupted before it wrote its note.
    let late = at_work
        .iter()
        .filter(|note| note.what == "step" && note.at > granted)
        .count();
    assert!(late <= 1, "{late} steps beside another holder");
    child.kill().await;
    heir.unlock().await.expect("the store answers");
}

/// Nothing can extend the lease, so another takes the lock; once the body gives the thread back, it is dropped.
async fn a11_a_body_that_blocks_the_executor(place: Place) {
    let locks = place.connect().await;
    let lease = Duration::from_secs(2);
    let child = Child::start(Scenario::Block, &place.url, lease);
    child.until("enter").await;
    let asked = child.until("ask").await.at;
    let (heir, granted) = take(&locks, "job", Duration::from_mins(10)).await;
    assert!(
        granted >= asked + nanos(lease),
        "the lease stood until its end"
    );
    assert_eq!(child.count("unblocked"), 0, "it blocks for twice its lease");
    child.until("failed: Lost").await;
    assert_eq!((child.count("unblocked"), child.count("step")), (1, 0));
    // It blocked for twice its lease.
    let starved = until(async || {
        let mut notes = child.notes().into_iter().map(|note| note.what);
        notes.find_map(|what| what.strip_prefix("starved: ").map(str::to_owned))
    })
    .await;
    let late = starved.split_once(" was polled ");
    let late = late
        .and_then(|(_, rest)| rest.split_once(" late"))
        .expect("it says how late")
        .0;
    let late = late.to_duration().expect("a duration");
    assert!(late >= lease, "{starved}");
    assert!(
        !is_free(&locks, "job").await,
        "its release is not the heir's"
    );
    heir.unlock().await.expect("the store answers");
}
