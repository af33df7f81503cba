//! The store does as it was asked, and its answer is lost on the way back.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use shedlock::{ErrorKind, LockError, Outcome, lock, scheduler_lock};
use shedlock_testkit::proxy::{Direction, Ending, Rule, Trigger};
use shedlock_tests::holds::monotonic_nanos;
use tokio::time::sleep;

use super::{Link, job, kept_job};
use crate::support::{Events, Locks, Place, cases, in_time, is_free, nanos, take, until};

cases! {
    g1_reply_to_acquire_lost on postgres mariadb;
    g1_reply_to_acquire_lost_once on postgres mariadb;
    g2_reply_to_release_lost on postgres mariadb;
    g2_reply_to_release_lost_and_the_lock_taken on postgres mariadb;
    g3_reply_to_extension_lost on postgres mariadb;
    g3_all_replies_lost_from_the_extension_on on postgres mariadb;
}

const MINUTE: Duration = Duration::from_mins(1);

#[scheduler_lock(name = name, at_most = MINUTE, provider = locks)]
async fn named_job(
    locks: &Locks,
    name: &str,
    body: impl Future<Output = ()>,
) -> Result<Outcome<()>, LockError> {
    body.await;
    Ok(Outcome::Executed(()))
}

/// Nobody knows that the lock was granted, so nobody runs; it is taken back as soon as the network is back.
async fn g1_reply_to_acquire_lost(place: Place) {
    let link = Link::over(place).await;
    let ran = AtomicBool::new(false);
    for round in 1..=5 {
        // Each by a name of its own: the background may still be at the one before.
        let name = format!("job-{round}");
        let reset = Rule::EndOnReply(Ending::Reset);
        link.proxy.on(Trigger::containing(&*name), reset);
        let body = async { ran.store(true, Ordering::Relaxed) };
        let error = named_job(&link.far, &name, body)
            .await
            .expect_err("no answer");
        assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
        assert!(error.is_transient());
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
        link.triggered(round).await;
        // A connection that was idle may have taken it back already: requests pass.
        let rows = format!("SELECT count(*) FROM shedlock WHERE name = '{name}'");
        let rows = link.place.execute(&rows).await;
        assert_eq!(rows, "1", "the store has granted it");
        let mended = Instant::now();
        link.proxy.set(Rule::Pass);
        until(async || is_free(&link.near, &name).await.then_some(())).await;
        println!(
            "the orphan was taken back {:?} after the mending",
            mended.elapsed()
        );
        // Long before the end of its lease.
        assert!(mended.elapsed() < Duration::from_secs(10));
    }
    assert!(!ran.load(Ordering::Relaxed), "it must not run");
}

/// The same call asks again with the same owner, and finds that the lock is its own.
async fn g1_reply_to_acquire_lost_once(place: Place) {
    let link = Link::over(place).await;
    link.on_request(Rule::Hold(Direction::ToClient));
    let runs = AtomicUsize::new(0);
    let body = async { runs.fetch_add(1, Ordering::Relaxed) };
    let network = async {
        link.triggered(1).await;
        until(async || link.place.is_held().await.then_some(())).await;
        link.break_and_mend();
    };
    let (answer, ()) = in_time(async { tokio::join!(job(&link.far, MINUTE, body), network) }).await;
    assert!(matches!(answer, Ok(Outcome::Executed(0))), "{answer:?}");
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    assert!(is_free(&link.near, "job").await);
}

/// Runs a job of which the reply to the release is kept back until `meanwhile` is over, and cut then.
async fn lose_reply_to_release(link: &Link, meanwhile: impl Future<Output = ()>) -> Events {
    let events = Events::listen();
    let body = async {
        link.on_request(Rule::Hold(Direction::ToClient));
        42
    };
    let network = async {
        link.triggered(1).await;
        until(async || (!link.place.is_held().await).then_some(())).await;
        meanwhile.await;
        link.break_and_mend();
    };
    let (answer, ()) = in_time(async { tokio::join!(job(&link.far, MINUTE, body), network) }).await;
    assert!(matches!(answer, Ok(Outcome::Executed(42))), "{answer:?}");
    events
}

async fn g2_reply_to_release_lost(place: Place) {
    let link = Link::over(place).await;
    let events = lose_reply_to_release(&link, async {}).await;
    assert_eq!(events.count("lock.released"), 1, "{events:?}");
    assert_eq!(events.count("lock.lost"), 0, "{events:?}");
    assert!(is_free(&link.near, "job").await);
}

/// Somebody has taken the lock by the time that the release is tried again: it stays theirs.
async fn g2_reply_to_release_lost_and_the_lock_taken(place: Place) {
    let link = Link::over(place).await;
    let mut heir = None;
    let taking = async { heir = Some(take(&link.near, "job", MINUTE).await.0) };
    Box::pin(lose_reply_to_release(&link, taking)).await;
    assert!(link.place.is_held().await, "the heir's lock is released");
    let mut heir = heir.expect("it was taken");
    heir.extend(MINUTE, "0s").await.expect("it is the heir's");
    heir.unlock().await.expect("the store answers");
}

/// One answer is lost; the next extension is confirmed, and the job runs on past the end of the lease that it knew of.
async fn g3_reply_to_extension_lost(place: Place) {
    let link = Link::over(place).await;
    let lease = Duration::from_secs(4);
    let body = async {
        let end = link.column("lock_until").await;
        link.on_request(Rule::Hold(Direction::ToClient));
        link.triggered(1).await;
        until(async || (link.column("lock_until").await != end).then_some(())).await;
        link.break_and_mend();
        let asked = monotonic_nanos();
        while monotonic_nanos() < asked + nanos(lease * 3 / 2) {
            assert!(lock::is_held(), "the lease is extended");
            assert!(!is_free(&link.near, "job").await);
            sleep(Duration::from_millis(20)).await;
        }
    };
    let answer = in_time(Box::pin(kept_job(&link.far, lease, body))).await;
    assert!(matches!(answer, Ok(Outcome::Executed(()))), "{answer:?}");
}

/// The store has extended the lease, but nobody has said so: the holder counts to the end that it knows of.
async fn g3_all_replies_lost_from_the_extension_on(place: Place) {
    let link = Link::over(place).await;
    let lease = Duration::from_secs(1);
    let asked = monotonic_nanos();
    let (unheard, last) = (AtomicU64::new(0), AtomicU64::new(0));
    let body = async {
        let end = link.column("lock_until").await;
        link.on_request(Rule::Discard(Direction::ToClient));
        unheard.store(monotonic_nanos(), Ordering::Relaxed);
        let extended = async {
            link.triggered(1).await;
            until(async || (link.column("lock_until").await != end).then_some(())).await;
            // Until it is cancelled.
            std::future::pending::<()>().await;
        };
        let at_work = async {
            loop {
                last.store(monotonic_nanos(), Ordering::Relaxed);
                sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::join!(extended, at_work);
    };
    let error = in_time(Box::pin(kept_job(&link.far, lease, body))).await;
    assert_eq!(error.expect_err("it was lost").kind(), ErrorKind::Lost);
    // The lease that the holder knows of was asked for before its answers were lost, and the last poll began before its end.
    let last = last.into_inner();
    let alone = last - unheard.into_inner();
    assert!(
        alone < nanos(lease + Duration::from_millis(300)),
        "{alone} ns"
    );
    let worked = last - asked;
    assert!(worked > nanos(lease / 2), "{worked} ns");
    link.proxy.set(Rule::Pass);
    until(async || is_free(&link.near, "job").await.then_some(())).await;
}
