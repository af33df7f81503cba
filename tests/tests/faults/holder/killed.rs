//! The holder is gone: its lock is free again when its lease ends, and not before.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use shedlock_testkit::Proxy;
use shedlock_testkit::proxy::{Direction, Rule, Trigger};
use shedlock_testkit::server_or_skip;

use crate::support::{Child, Place, Scenario, cases, config, in_time, nanos, take};

const AT_MOST: Duration = Duration::from_secs(1);
/// How much later than the end of a lease its lock must be had: by those who ask all the time, on a busy machine.
const SLACK: Duration = Duration::from_secs(10);

cases! {
    a1_kill_9_of_the_holder on sqlite postgres mariadb;
    a1_kill_9_at_any_moment on sqlite postgres;
    a5_sigterm_without_a_handler on sqlite postgres;
    a8_out_of_memory on sqlite postgres;
}

/// Whether `status` is the end by this signal.
fn ended_by(status: ExitStatus, signal: Signal) -> bool {
    status.signal() == Some(signal.as_raw())
}

/// Four others ask for the lock of a holder that is dead, or about to be: one gets it, when the lease has ended.
async fn one_takes_over(place: &Place, child: &Child) {
    let asked = child.until("ask").await.at;
    let heirs = (0..4).map(|_| {
        let url = place.url.clone();
        tokio::spawn(async move {
            let locks = crate::support::connect(&url).await;
            // Long enough for nobody to be second.
            take(&locks, "job", Duration::from_mins(10)).await
        })
    });
    let mut heirs: Vec<_> = heirs.collect();
    let ((lock, granted), _, rest) = {
        let (first, index, rest) = in_time(futures_util::future::select_all(heirs.drain(..))).await;
        (first.expect("no panic"), index, rest)
    };
    assert!(
        granted >= asked + nanos(AT_MOST),
        "taken over {} ms too early",
        (asked + nanos(AT_MOST) - granted) / 1_000_000
    );
    let late = granted - asked - nanos(AT_MOST);
    assert!(late < nanos(SLACK), "taken over {late} ns late");
    assert!(child.last_step() <= granted, "the dead do no work");
    // The others ask on, with a lease in their way.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(rest.iter().all(|heir| !heir.is_finished()), "one heir");
    for heir in rest {
        heir.abort();
    }
    lock.unlock().await.expect("the store answers");
}

async fn a1_kill_9_of_the_holder(place: Place) {
    let mut child = Child::start(Scenario::Cancel, &place.url, AT_MOST);
    child.until_at_work().await;
    child.kill().await;
    one_takes_over(&place, &child).await;
}

async fn a1_kill_9_at_any_moment(place: Place) {
    let locks = place.connect().await;
    let at_most = Duration::from_millis(300);
    let mut had_asked = 0;
    for _ in 0..8 {
        let mut child = Child::start(Scenario::Cancel, &place.url, at_most);
        // Around the acquisition, which takes a few milliseconds.
        child.until("ask").await;
        tokio::time::sleep(Duration::from_micros(fastrand::u64(..6_000))).await;
        let dead = child.kill().await;
        let (lock, granted) = take(&locks, "job", at_most).await;
        let asked = child.until("ask").await.at;
        if child.count("enter") > 0 {
            had_asked += 1;
            assert!(granted >= asked + nanos(at_most), "taken over too early");
        }
        assert!(granted < dead + nanos(at_most + SLACK), "blocked too long");
        lock.unlock().await.expect("the store answers");
    }
    println!("{had_asked} of 8 were killed with the lock in hand");
}

/// The server has granted the lock, and its answer finds nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a1_kill_9_between_send_and_reply() {
    let place = server_or_skip!(Place::postgres().await);
    let proxy = Proxy::start(place.address()).await.expect("a port");
    proxy.on(Trigger::containing("job"), Rule::Hold(Direction::ToClient));
    let mut child = Child::start(Scenario::Cancel, &proxy.url(&place.url), AT_MOST);
    in_time(proxy.triggered()).await;
    let granted = "SELECT count(*) FROM shedlock WHERE name = 'job'";
    while place.execute(granted).await != "1" {}
    child.kill().await;
    one_takes_over(&place, &child).await;
    assert_eq!(child.count("enter"), 0, "nobody told it");
}

async fn a5_sigterm_without_a_handler(place: Place) {
    let mut child = Child::start(Scenario::Cancel, &place.url, AT_MOST);
    child.until_at_work().await;
    child.signal(Signal::TERM);
    let status = child.ended().await;
    assert!(ended_by(status, Signal::TERM), "{status}");
    one_takes_over(&place, &child).await;
}

async fn a8_out_of_memory(place: Place) {
    let mut child = Child::start(Scenario::Devour, &place.url, AT_MOST);
    let status = child.ended().await;
    assert!(ended_by(status, Signal::ABORT), "{status}");
    assert_eq!((child.count("enter"), child.count("step")), (1, 0));
    one_takes_over(&place, &child).await;
}

/// What the checks above rest on: a lock that was not given back is not to be had.
#[tokio::test]
async fn the_lock_of_the_dead_is_held() {
    let place = server_or_skip!(Place::sqlite().await);
    let mut child = Child::start(Scenario::Cancel, &place.url, Duration::from_mins(10));
    child.until_at_work().await;
    child.kill().await;
    let locks = place.connect().await;
    let answer = shedlock::LockProviderExt::try_lock(&locks, config("job", AT_MOST)).await;
    assert!(answer.expect("the store answers").is_none());
}
