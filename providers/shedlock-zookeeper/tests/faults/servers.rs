//! What happens when a server is killed, stands still, or a cluster loses its leader.

use std::time::{Duration, Instant};

use shedlock_runtime::{Acquisition, LockProviderExt as _};
use shedlock_testkit::requests::{ask, config, problem, taken, until, until_answered};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{ZooKeeper, ZooKeeperEnsemble};
use shedlock_zookeeper::ZooKeeperLockProvider;

use super::place::Place;

#[tokio::test]
async fn held_locks_outlive_a_kill_of_the_server() {
    let server = server_or_skip!(ZooKeeper::start().await);
    let place = Place::new(&server).await;
    let (one, other) = (place.provider(), place.provider());
    let lock = taken(&one, "mail").await;
    let token = lock.fencing_token();
    server.kill().await.expect("signals can be sent");
    assert!(problem(&other, "mail").await.is_transient());
    server.restart().await.expect("it comes back");
    assert!(
        until_answered(&other, config("mail")).await.is_none(),
        "the lock is held"
    );
    lock.unlock().await.expect("ZooKeeper is back");
    let next = until_answered(&other, config("mail"))
        .await
        .expect("was released");
    assert!(next.fencing_token() > token);
}

#[tokio::test]
async fn a_server_that_stands_still_is_given_up_in_time() {
    let server = server_or_skip!(ZooKeeper::start().await);
    let place = Place::new(&server).await;
    let provider = place.provider();
    drop(taken(&provider, "warm").await);
    server.pause().await.expect("signals can be sent");
    let start = Instant::now();
    let limited = config("mail").with_timeout("2s").expect("legal");
    let error = provider.try_lock(limited).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    server.resume().await.expect("signals can be sent");
    assert!(until_answered(&provider, config("other")).await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ensemble_goes_on_without_its_leader() {
    let ensemble = server_or_skip!(ZooKeeperEnsemble::start().await);
    let provider = ZooKeeperLockProvider::builder_from_url(&ensemble.url());
    let provider = provider.build().expect("valid");
    let lock = until_answered(&provider, config("mail"))
        .await
        .expect("is free");
    let token = lock.fencing_token();
    let mut leader = None;
    for server in ensemble.servers() {
        if server.is_leader().await {
            leader = Some(server);
        }
    }
    let leader = leader.expect("one of the three");
    leader.kill().await.expect("signals can be sent");

    let other = ZooKeeperLockProvider::builder_from_url(&ensemble.url());
    let other = other.build().expect("valid");
    assert!(
        until_answered(&other, config("mail")).await.is_none(),
        "the lock is held"
    );
    drop(until_answered(&provider, config("probe")).await);
    lock.unlock().await.expect("two of three are enough");
    let next = until_answered(&other, config("mail"))
        .await
        .expect("was released");
    assert!(next.fencing_token() > token);

    // One of three is not enough, and says so.
    let mut alive = ensemble.servers().iter().filter(|it| it.pid().is_some());
    let second = alive.next().expect("two are alive");
    second.kill().await.expect("signals can be sent");
    until("no lock is held for want of an answer", async || {
        let asked = provider.try_lock(config("mail")).await;
        asked.is_err_and(|error| error.is_transient())
    })
    .await;

    // The old leader comes back, and learns what it has missed.
    leader.restart().await.expect("it comes back");
    assert!(until_answered(&provider, config("mail")).await.is_none());
    assert!(until_answered(&other, config("more")).await.is_some());
    next.unlock().await.expect("two of three are enough");
}

/// Contenders on many names at once: each name is granted once, and nobody sees an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_name_is_granted_once() {
    const NAMES: usize = 40;
    let place = Place::new(server_or_skip!(ZooKeeper::shared().await)).await;
    let contenders: Vec<_> = (0..16)
        .map(|_| {
            let provider = place.provider();
            tokio::spawn(async move {
                let mut won = 0;
                for name in 0..NAMES {
                    let asked = ask(&provider, &format!("race-{name}")).await;
                    match asked.expect("contention is no error") {
                        Acquisition::Granted(_) => won += 1,
                        Acquisition::Refused(_) => {}
                    }
                }
                won
            })
        })
        .collect();
    let mut won = 0;
    for contender in contenders {
        won += contender.await.expect("no panic");
    }
    assert_eq!(won, NAMES);
}
