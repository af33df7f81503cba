//! A request that arrives twice, or after its sender has given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shedlock::{ErrorKind, LockProviderExt as _, LockingTaskExecutor, Outcome, lock};
use shedlock_runtime::{AcquireRequest, Acquisition, Clock as _, Ownership, SystemClock};
use shedlock_testkit::proxy::{Direction, LateRequest, Rule, Trigger};
use shedlock_tests::holds::monotonic_nanos;

use super::{Link, job, kept_job};
use crate::support::{Place, cases, config, in_time, is_free, nanos, take, until};

cases! {
    g4_acquire_delivered_late on postgres mariadb;
    g4_release_delivered_late on postgres mariadb;
    g4_extension_delivered_late on postgres mariadb;
    g4_extension_delivered_after_a_later_one on postgres mariadb;
    g4_extension_delivered_after_the_release on postgres mariadb;
    g4_request_duplicated on sqlite postgres mariadb;
}

const LEASE: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// A lock that is granted to somebody who has given up is taken back.
async fn g4_acquire_delivered_late(place: Place) {
    let link = Link::over(place).await;
    link.on_request(Rule::Hold(Direction::ToServer));
    let asked = config("job", MINUTE).with_timeout("300ms").expect("legal");
    let executor = LockingTaskExecutor::new(Arc::clone(&link.far));
    let error = executor.execute(asked, async { panic!("not held") }).await;
    assert_eq!(error.expect_err("no answer").kind(), ErrorKind::Timeout);
    assert_eq!(link.column("name").await, "", "the store knows nothing");
    link.proxy.set(Rule::Pass);
    until(async || (link.column("name").await == "job").then_some(())).await;
    until(async || is_free(&link.near, "job").await.then_some(())).await;
}

/// Lets the request go that was kept back, once somebody else has the lock, and looks at what it does to them.
async fn deliver_to_an_heir(link: &Link, granted_from: u64) {
    let (mut heir, granted) = take(&link.near, "job", MINUTE).await;
    assert!(granted >= granted_from, "taken over too early");
    let before = (
        link.column("locked_by").await,
        link.column("lock_until").await,
    );
    let counters = link.proxy.counters();
    link.proxy.set(Rule::Pass);
    // The server has answered, to nobody.
    let answered = link
        .proxy
        .wait_until(|now| now.server_bytes > counters.server_bytes);
    in_time(answered).await;
    let after = (
        link.column("locked_by").await,
        link.column("lock_until").await,
    );
    assert_eq!(before, after, "the row is the heir's");
    heir.extend(MINUTE, "0s").await.expect("it is the heir's");
    heir.unlock().await.expect("the store answers");
}

async fn g4_release_delivered_late(place: Place) {
    let link = Link::over(place).await;
    let asked = monotonic_nanos();
    let body = async { link.on_request(Rule::Hold(Direction::ToServer)) };
    let answer = in_time(job(&link.far, LEASE, body)).await;
    assert!(matches!(answer, Ok(Outcome::Executed(()))), "{answer:?}");
    deliver_to_an_heir(&link, asked + nanos(LEASE)).await;
}

async fn g4_extension_delivered_late(place: Place) {
    let link = Link::over(place).await;
    let asked = monotonic_nanos();
    let body = async {
        link.on_request(Rule::Hold(Direction::ToServer));
        std::future::pending::<()>().await;
    };
    let error = in_time(kept_job(&link.far, LEASE, body)).await;
    assert_eq!(error.expect_err("it was lost").kind(), ErrorKind::Lost);
    deliver_to_an_heir(&link, asked + nanos(LEASE)).await;
}

/// Holds an extension back until later ones are confirmed, and gives it with the end of the lease that they have brought.
async fn overtaken(link: &Link) -> (LateRequest, String) {
    let extension = link.proxy.hold_back(Trigger::containing("job"));
    in_time(extension.sent()).await;
    for _ in 0..2 {
        let now = link.column("locked_by").await;
        until(async || (link.column("locked_by").await != now).then_some(())).await;
    }
    (extension, link.column("lock_until").await)
}

/// It must not set the lease's end back. Others ask all the time, and the lease would end if it did.
async fn g4_extension_delivered_after_a_later_one(place: Place) {
    let link = Link::over(place).await;
    let at_work = AtomicBool::new(false);
    let body = async {
        at_work.store(true, Ordering::Relaxed);
        let (extension, end) = overtaken(&link).await;
        assert!(
            in_time(extension.deliver()).await,
            "the server has answered"
        );
        // Both in a form that sorts by time.
        assert!(link.column("lock_until").await >= end, "it was set back");
        let now = link.column("locked_by").await;
        until(async || (link.column("locked_by").await != now).then_some(())).await;
        assert!(lock::is_held());
        at_work.store(false, Ordering::Relaxed);
    };
    let others = async {
        until(async || at_work.load(Ordering::Relaxed).then_some(())).await;
        loop {
            let other = link.near.try_lock(config("job", MINUTE)).await;
            let other = other.expect("the store answers");
            let overlaps = other.is_some() && at_work.load(Ordering::Relaxed);
            assert!(!overlaps, "two had the lock");
            if let Some(heir) = other {
                return heir;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let holder = Box::pin(kept_job(&link.far, LEASE * 3, body));
    let (answer, heir) = in_time(async { tokio::join!(holder, others) }).await;
    assert!(matches!(answer, Ok(Outcome::Executed(()))), "{answer:?}");
    heir.unlock().await.expect("the store answers");
}

/// Nobody's lease is made longer by it: the lock is free, and stays so.
async fn g4_extension_delivered_after_the_release(place: Place) {
    let link = Link::over(place).await;
    let mut late = None;
    let body = async { late = Some(overtaken(&link).await.0) };
    let answer = in_time(Box::pin(kept_job(&link.far, LEASE * 3, body))).await;
    assert!(matches!(answer, Ok(Outcome::Executed(()))), "{answer:?}");
    assert!(!link.place.is_held().await, "it was given back");
    let late = late.expect("it was overtaken");
    assert!(in_time(late.deliver()).await, "the server has answered");
    assert!(!link.place.is_held().await, "it is held by nobody");
    assert!(is_free(&link.near, "job").await);
}

/// The owner tells a request that was sent again from somebody else's.
async fn g4_request_duplicated(place: Place) {
    let locks = place.connect().await;
    let request = AcquireRequest::new(config("job", MINUTE), SystemClock.boot());
    let mut leases = Vec::new();
    for _ in 0..2 {
        match locks.acquire(&request).await.expect("the store answers") {
            Acquisition::Granted(lease) => leases.push(lease),
            Acquisition::Refused(refusal) => panic!("it is our own: {refusal:?}"),
        }
    }
    let other = locks.try_lock(config("job", MINUTE)).await;
    assert!(other.expect("the store answers").is_none());
    for lease in &leases {
        let released = locks
            .release(lease, Duration::ZERO)
            .await
            .expect("the store answers");
        assert_eq!(released, Ownership::Ours);
    }
    let (heir, _) = take(&locks, "job", MINUTE).await;
    let released = locks
        .release(&leases[0], Duration::ZERO)
        .await
        .expect("the store answers");
    assert_eq!(released, Ownership::Lost);
    assert!(!is_free(&locks, "job").await);
    heir.unlock().await.expect("the store answers");
}
