//! A call that is dropped, wherever it stands.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use shedlock::LockProviderExt as _;
use shedlock_testkit::Proxy;
use shedlock_testkit::proxy::{Direction, Rule, Trigger};
use tokio::time::{sleep, timeout};

use super::{MINUTE, job};
use crate::support::{Locks, Place, cases, config, connect, in_time, is_free, take, until};

cases! {
    b1_a_body_that_panics on sqlite postgres mariadb;
    b2_dropped_at_every_await on sqlite postgres mariadb;
    b2_dropped_by_timeout_select_and_abort on sqlite postgres mariadb;
    b3_dropped_while_the_acquisition_is_in_flight on postgres mariadb;
    b4_dropped_while_the_release_is_in_flight on postgres mariadb;
}

/// How soon a lock is to be free again that nobody holds, on a busy machine: the lease is a minute.
const SOON: Duration = Duration::from_secs(10);

async fn soon_free(locks: &Locks) {
    let dropped = Instant::now();
    until(async || is_free(locks, "job").await.then_some(())).await;
    assert!(
        dropped.elapsed() < SOON,
        "an orphan for {:?}",
        dropped.elapsed()
    );
}

/// The payload is the body's own, and the lock is free when the caller has it.
async fn b1_a_body_that_panics(place: Place) {
    let locks = place.connect().await;
    let caller = {
        let locks = Arc::clone(&locks);
        tokio::spawn(async move {
            let body = async {
                sleep(Duration::from_millis(5)).await;
                std::panic::panic_any(42_u8);
            };
            job(&locks, body).await.map(drop)
        })
    };
    let panic = in_time(caller).await.expect_err("it panics").into_panic();
    assert_eq!(panic.downcast_ref::<u8>(), Some(&42), "the payload");
    soon_free(&locks).await;
}

/// Awaits more than once, so that there is something to be dropped at.
async fn body(began: &AtomicBool) {
    began.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        tokio::task::yield_now().await;
        sleep(Duration::from_millis(1)).await;
    }
}

/// Polled n times and dropped then, for every n up to the one with which it ends; again and again, as packets do not
/// always arrive in the same pieces.
async fn b2_dropped_at_every_await(place: Place) {
    let locks = place.connect().await;
    let near = place.connect().await;
    let (mut before, mut inside, mut ended) = (0, 0, 0);
    for polls in (1..20).cycle().take(100) {
        let began = AtomicBool::new(false);
        let mut over = false;
        {
            let mut call = pin!(job(&locks, body(&began)));
            for _ in 0..polls {
                over = in_time(once(call.as_mut())).await;
                if over {
                    break;
                }
            }
        }
        match (over, began.into_inner()) {
            (true, _) => ended += 1,
            (false, true) => inside += 1,
            (false, false) => before += 1,
        }
        soon_free(&near).await;
    }
    println!("dropped {before} times before the body, {inside} times from there on; {ended} ended");
    assert!(
        before > 3 && inside > 3 && ended > 3,
        "{before} {inside} {ended}"
    );
}

/// Polls the call once more, when it wants to be; says whether it has ended.
async fn once<T>(mut call: std::pin::Pin<&mut impl Future<Output = T>>) -> bool {
    let mut polled = false;
    std::future::poll_fn(|context| {
        if polled {
            // Woken, so the next poll is the next step.
            return Poll::Ready(false);
        }
        polled = true;
        match call.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// The three ways in which programs drop a call.
async fn b2_dropped_by_timeout_select_and_abort(place: Place) {
    let locks = place.connect().await;
    let entered = Arc::new(tokio::sync::Notify::new());
    let endless = || {
        let (locks, entered) = (Arc::clone(&locks), Arc::clone(&entered));
        async move {
            let body = async {
                entered.notify_one();
                std::future::pending::<()>().await;
            };
            job(&locks, body).await.map(drop)
        }
    };
    let mut call = Box::pin(endless());
    in_time(async {
        tokio::select! {
            ended = &mut call => panic!("it has no end: {ended:?}"),
            () = entered.notified() => {}
        }
    })
    .await;
    let ended = timeout(Duration::from_millis(50), call).await;
    assert!(ended.is_err());
    soon_free(&locks).await;

    in_time(async {
        tokio::select! {
            ended = endless() => panic!("it has no end: {ended:?}"),
            () = entered.notified() => {}
        }
    })
    .await;
    soon_free(&locks).await;

    let task = tokio::spawn(endless());
    in_time(entered.notified()).await;
    task.abort();
    assert!(
        in_time(task)
            .await
            .expect_err("it was aborted")
            .is_cancelled()
    );
    soon_free(&locks).await;
}

/// The request has gone, or is on its way, and nobody waits for the answer.
async fn b3_dropped_while_the_acquisition_is_in_flight(place: Place) {
    for way in [Direction::ToServer, Direction::ToClient] {
        let proxy = Proxy::start(place.address()).await.expect("a port");
        let far = connect(&proxy.url(&place.url)).await;
        let near = place.connect().await;
        is_free(&far, "warm-up").await;
        proxy.on(Trigger::containing("job"), Rule::Hold(way));
        let began = AtomicBool::new(false);
        {
            let mut call = pin!(job(&far, body(&began)));
            tokio::select! {
                ended = &mut call => panic!("nobody has answered: {ended:?}"),
                () = in_time(proxy.triggered()) => {}
            }
        }
        assert!(!began.load(Ordering::Relaxed));
        proxy.set(Rule::Pass);
        // Late by the way it has still to go: let it come, and be taken back.
        if way == Direction::ToServer {
            until(async || (row(&place).await == "1").then_some(())).await;
        }
        soon_free(&near).await;
    }
}

async fn row(place: &Place) -> String {
    let rows = "SELECT count(*) FROM shedlock WHERE name = 'job'";
    place.execute(rows).await
}

/// The body has run; its lock is given back although nobody waits for that, and once.
async fn b4_dropped_while_the_release_is_in_flight(place: Place) {
    let proxy = Proxy::start(place.address()).await.expect("a port");
    let far = connect(&proxy.url(&place.url)).await;
    let near = place.connect().await;
    is_free(&far, "warm-up").await;
    let body = async { proxy.on(Trigger::containing("job"), Rule::Hold(Direction::ToServer)) };
    {
        let mut call = pin!(job(&far, body));
        tokio::select! {
            ended = &mut call => panic!("nobody has answered: {ended:?}"),
            () = in_time(proxy.triggered()) => {}
        }
    }
    let other = near.try_lock(config("job", MINUTE)).await;
    assert!(
        other.expect("the store answers").is_none(),
        "the release is held back"
    );
    proxy.set(Rule::Pass);
    let (heir, _) = take(&near, "job", MINUTE).await;
    // Whatever is sent again, the lock is somebody else's now.
    sleep(Duration::from_millis(300)).await;
    assert!(!is_free(&near, "job").await, "released twice");
    heir.unlock().await.expect("the store answers");
}

/// A future that is made and never polled has asked for nothing.
#[tokio::test]
async fn b2_dropped_before_its_first_poll() {
    let place = Place::sqlite().await.expect("a file");
    let locks = place.connect().await;
    drop(job(&locks, async { panic!("never polled") as () }));
    {
        let call = pin!(job(&locks, std::future::pending::<()>()));
        let mut nobody = Context::from_waker(Waker::noop());
        drop(call.poll(&mut nobody));
    }
    soon_free(&locks).await;
}
