//! Nothing comes through, and no connection breaks.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use shedlock::{ErrorKind, LockProviderExt as _, Outcome};
use shedlock_sqlx::PostgresLockProvider;
use shedlock_testkit::proxy::{Direction, Rule};
use shedlock_tests::holds::monotonic_nanos;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use super::{Link, job, kept_job};
use crate::support::{
    LATENESS, Place, cases, config, connect, in_time, is_free, nanos, take, until,
};

cases! {
    g5_partition_of_the_holder on postgres mariadb;
    g6_partition_of_all on postgres mariadb;
    g7_half_open_connection on postgres mariadb;
}

const LEASE: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// The holder is cancelled before anybody else runs.
async fn g5_partition_of_the_holder(place: Place) {
    let link = Link::over(place).await;
    let (asked, last) = (monotonic_nanos(), AtomicU64::new(0));
    let body = async {
        // After the first extension.
        sleep(LEASE * 3 / 4).await;
        link.proxy.set(Rule::Hold(Direction::Both));
        loop {
            last.store(monotonic_nanos(), Ordering::Relaxed);
            sleep(Duration::from_millis(5)).await;
        }
    };
    let heir = async { take(&link.near, "job", MINUTE).await };
    let holder = async {
        let answer = kept_job(&link.far, LEASE, body).await;
        answer
            .map(|outcome: Outcome<()>| outcome)
            .expect_err("lost")
    };
    let held = async {
        until(async || link.place.is_held().await.then_some(())).await;
        heir.await
    };
    let (error, (heir, granted)) = in_time(Box::pin(async { tokio::join!(holder, held) })).await;
    assert_eq!(error.kind(), ErrorKind::Lost, "{error}");
    let last = last.load(Ordering::Relaxed);
    assert!(
        granted >= asked + nanos(LEASE),
        "the lease was extended once"
    );
    assert!(
        last < granted,
        "the two overlapped by {} ns",
        last - granted
    );
    // The partition ends: what the first holder has still to say harms nobody.
    link.proxy.set(Rule::Pass);
    sleep(Duration::from_millis(200)).await;
    assert!(!is_free(&link.near, "job").await);
    heir.unlock().await.expect("the store answers");
}

/// Three nodes lose the store: no run begins without it, and they run again when it is back.
async fn g6_partition_of_all(place: Place) {
    const TICK: Duration = Duration::from_millis(200);
    let link = Link::over(place).await;
    let (runs, failures) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let node = async || {
        let locks = connect(&link.proxy.url(&link.place.url)).await;
        loop {
            let body = async { runs.fetch_add(1, Ordering::Relaxed) };
            if let Err(error) = job(&locks, LEASE, body).await {
                assert!(error.is_transient(), "{error}");
                failures.fetch_add(1, Ordering::Relaxed);
            }
            sleep(TICK).await;
        }
    };
    let network = async {
        until(async || (runs.load(Ordering::Relaxed) > 3).then_some(())).await;
        link.proxy.set(Rule::Hold(Direction::Both));
        // An answer may have been behind the proxy already.
        sleep(LEASE).await;
        let before = runs.load(Ordering::Relaxed);
        until(async || (failures.load(Ordering::Relaxed) >= 6).then_some(())).await;
        assert_eq!(runs.load(Ordering::Relaxed), before, "runs without a store");
        let mended = Instant::now();
        link.proxy.set(Rule::Pass);
        until(async || (runs.load(Ordering::Relaxed) > before).then_some(())).await;
        println!("runs again {:?} after the mending", mended.elapsed());
        // A tick, an orphan's lease, and the time limit of a call that was under way.
        assert!(mended.elapsed() < TICK + LEASE * 2 + LATENESS);
    };
    tokio::select! {
        () = network => {}
        () = async { tokio::join!(node(), node(), node()).0 } => unreachable!("nodes have no end"),
    }
}

/// The peer is gone and nobody says so: each call ends by its own time limit.
async fn g7_half_open_connection(place: Place) {
    let link = Link::over(place).await;
    let limit = Duration::from_millis(400);
    link.proxy.set(Rule::Discard(Direction::Both));
    let fresh = PostgresLockProvider::builder_from_url(&link.proxy.url(&link.place.url)).build();
    let fresh: Option<crate::support::Locks> = match fresh {
        Ok(provider) => Some(std::sync::Arc::new(provider)),
        Err(_of_mariadb) => None,
    };
    for locks in [Some(&link.far), fresh.as_ref()].into_iter().flatten() {
        let asked = Instant::now();
        let wanted = config("job", MINUTE).with_timeout(limit).expect("legal");
        let error = locks.try_lock(wanted).await.expect_err("nobody answers");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        let took = asked.elapsed();
        assert!(took < limit + LATENESS, "{took:?}");
    }
    link.break_and_mend();
    let asked = Instant::now();
    let body = async { link.proxy.set(Rule::Discard(Direction::Both)) };
    let answer = in_time(job(&link.far, LEASE, body)).await;
    assert!(matches!(answer, Ok(Outcome::Executed(()))), "{answer:?}");
    assert!(
        asked.elapsed() < LEASE * 2 + LATENESS,
        "the release is bounded"
    );
}

/// Not even the connection comes about: the packets are dropped.
#[tokio::test]
async fn g7_no_answer_to_a_connection() {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a port");
    let listener = socket.listen(1).expect("a port");
    let address = listener.local_addr().expect("a port");
    // A queue that is full drops what comes; nobody accepts.
    let mut queue = Vec::new();
    while let Ok(connected) =
        tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
    {
        queue.push(connected.expect("somebody listens"));
        assert!(queue.len() < 100, "the queue has no end");
    }
    let url = format!("postgres://shedlock@{address}/shedlock");
    let provider = PostgresLockProvider::builder_from_url(&url)
        .build()
        .expect("legal");
    let limit = Duration::from_millis(400);
    let asked = Instant::now();
    let wanted = config("job", MINUTE).with_timeout(limit).expect("legal");
    let error = provider.try_lock(wanted).await.expect_err("nobody answers");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(asked.elapsed() < limit + LATENESS);
    drop(listener);
}
