//! The runtime ends while a lock is held, or is another one than usual.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use shedlock::{InMemoryLockProvider, LockProviderExt as _, Outcome};
use shedlock_testkit::server_or_skip;
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use super::{MINUTE, job};
use crate::support::{Child, Locks, Place, Scenario, config, in_time, is_free, until};

/// As long as the end of a runtime may take.
const AT_ONCE: Duration = Duration::from_secs(5);

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// A runtime with a job at work under its lock, and what the job holds on to.
async fn at_work(place: &Place) -> Runtime {
    let url = place.url.clone();
    // Runtimes are not to be made or dropped inside another.
    tokio::task::spawn_blocking(move || {
        let runtime = runtime();
        let (entered, enters) = mpsc::channel();
        runtime.spawn(async move {
            let locks = crate::support::connect(&url).await;
            let body = async {
                entered.send(()).expect("somebody waits");
                std::future::pending::<()>().await;
            };
            drop(job(&locks, body).await);
        });
        enters.recv_timeout(AT_ONCE).expect("the lock is free");
        runtime
    })
    .await
    .expect("no panic")
}

/// The end is no hang and no panic. What cannot be given back frees itself with its lease.
async fn ends(place: Place, end: fn(Runtime)) {
    let locks = place.connect().await;
    let runtime = at_work(&place).await;
    assert!(!is_free(&locks, "job").await);
    let began = Instant::now();
    let ended = tokio::task::spawn_blocking(move || end(runtime)).await;
    ended.expect("it does not panic");
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    // Held or given back, the row is whole: somebody can see it, and an operator can free it.
    let free = is_free(&locks, "job").await;
    println!(
        "{}",
        if free {
            "given back"
        } else {
            "left to its lease"
        }
    );
    if !free {
        place.execute("DELETE FROM shedlock").await;
        assert!(is_free(&locks, "job").await);
    }
}

crate::support::cases! {
    b5_runtime_dropped_while_held on postgres mariadb;
    b5_shutdown_timeout_while_held on postgres mariadb;
    b5_shutdown_background_while_held on postgres mariadb;
    b5_block_on_left_while_held on sqlite postgres;
    b12_a_body_that_is_not_send on sqlite postgres mariadb;
}

async fn b5_runtime_dropped_while_held(place: Place) {
    ends(place, drop).await;
}

async fn b5_shutdown_timeout_while_held(place: Place) {
    ends(place, |runtime| {
        runtime.shutdown_timeout(Duration::from_millis(200));
    })
    .await;
}

async fn b5_shutdown_background_while_held(place: Place) {
    ends(place, Runtime::shutdown_background).await;
}

/// With `panic = "abort"` a panic is the end of the process, even one that is caught.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b5_runtime_dropped_while_held_without_a_panic() {
    let place = server_or_skip!(Place::postgres().await);
    let child = Child::start(Scenario::LoseRuntime, &place.url, MINUTE);
    child.until("dropped").await;
    let panics = child.notes();
    let mut panics = panics.iter().filter(|note| note.what.starts_with("panic"));
    assert_eq!(panics.next(), None);
}

/// A guard that outlives the runtime that took it, and the lease that then runs out.
async fn b5_block_on_left_while_held(place: Place) {
    let url = place.url.clone();
    let lease = Duration::from_millis(500);
    let dropped = tokio::task::spawn_blocking(move || {
        let runtime = runtime();
        let lock = runtime.block_on(async {
            let locks = crate::support::connect(&url).await;
            let answer = locks.try_lock(config("job", lease)).await;
            answer.expect("the store answers").expect("it is free")
        });
        drop(runtime);
        drop(lock);
    });
    in_time(dropped).await.expect("it does not panic");
    let locks = place.connect().await;
    until(async || is_free(&locks, "job").await.then_some(())).await;
}

/// On a `LocalSet`, with a body that no other thread could have.
async fn b12_a_body_that_is_not_send(place: Place) {
    let url = place.url.clone();
    let dropped = tokio::task::spawn_blocking(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async {
            let locks = crate::support::connect(&url).await;
            let ran = Rc::new(Cell::new(0));
            let body = || {
                let (locks, ran) = (Arc::clone(&locks), Rc::clone(&ran));
                async move {
                    let body = async {
                        sleep(Duration::from_millis(1)).await;
                        ran.set(ran.get() + 1);
                        std::future::pending::<()>().await;
                    };
                    job(&locks, body).await.map(|outcome: Outcome<()>| outcome)
                }
            };
            let task = tokio::task::spawn_local(body());
            until(async || (ran.get() == 1).then_some(())).await;
            task.abort();
            assert!(task.await.expect_err("aborted").is_cancelled());
            until(async || is_free(&locks, "job").await.then_some(())).await;
        });
    });
    in_time(dropped).await.expect("it does not panic");
}

/// Time that does not pass by itself: leases in memory, and what keeps them alive, follow it.
#[tokio::test(start_paused = true)]
async fn b14_paused_time() {
    let locks: Locks = Arc::new(InMemoryLockProvider::new());
    let real = Instant::now();
    let hour = Duration::from_hours(1);
    let kept = config("job", MINUTE).with_keep_alive().expect("legal");
    let executor = shedlock::LockingTaskExecutor::new(Arc::clone(&locks));
    let watch = async {
        sleep(hour.saturating_sub(MINUTE)).await;
        assert!(!is_free(&locks, "job").await, "it is kept alive");
    };
    let (ran, ()) = tokio::join!(executor.execute(kept, sleep(hour)), watch);
    assert_eq!(ran.expect("it is in memory").executed(), Some(()));
    let mut lock = locks
        .try_lock(config("job", MINUTE))
        .await
        .expect("in memory")
        .expect("free");
    lock.release_on_drop(false);
    drop(lock);
    sleep(MINUTE.saturating_sub(Duration::from_millis(1))).await;
    assert!(!is_free(&locks, "job").await);
    sleep(Duration::from_millis(2)).await;
    assert!(is_free(&locks, "job").await);
    assert!(real.elapsed() < AT_ONCE, "no real sleep");
}
