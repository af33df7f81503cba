//! What happens when a server is killed, stands still, or a cluster loses its leader.

use std::time::{Duration, Instant};

use serde_json::json;
use shedlock_runtime::{
    AcquireRequest, Acquisition, LockAdmin as _, LockProvider as _, LockProviderExt as _,
};
use shedlock_testkit::requests::{TEST_TIMEOUT, config, problem, taken, until_answered};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{Nats, NatsCluster};
use tokio::time::sleep;

use super::place::Place;

#[tokio::test]
async fn held_locks_outlive_a_kill_of_the_server() {
    let server = server_or_skip!(Nats::start().await);
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
    lock.unlock().await.expect("NATS is back");
    let next = until_answered(&other, config("mail"))
        .await
        .expect("was released");
    assert!(next.fencing_token() > token);
}

/// The bucket is empty after the deletion, and the server finds in its files all the same how far it has counted.
#[tokio::test]
async fn tokens_grow_over_a_deletion_and_a_kill_of_the_server() {
    let server = server_or_skip!(Nats::start().await);
    let place = Place::new(&server).await;
    let provider = place.provider();
    let mut last = None;
    for _ in 0..3 {
        let lock = until_answered(&provider, config("mail")).await;
        let lock = lock.expect("is free");
        assert!(lock.fencing_token() > last, "{last:?}");
        last = lock.fencing_token();
        lock.unlock().await.expect("NATS answers");
        sleep(Duration::from_millis(5)).await;
        let pruned = provider.prune(Duration::ZERO).await;
        assert_eq!(pruned.expect("NATS answers"), 1);
        server.kill().await.expect("signals can be sent");
        server.restart().await.expect("it comes back");
    }
}

#[tokio::test]
async fn a_server_that_stands_still_is_given_up_in_time() {
    let server = server_or_skip!(Nats::start().await);
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
async fn a_cluster_goes_on_without_its_leader() {
    let cluster = server_or_skip!(NatsCluster::start().await);
    let place = Place::at(&cluster.url()).await;
    let builder = || place.builder().replicas(3);
    let provider = builder().build().expect("valid");
    let start = Instant::now();
    while let Err(error) = provider.ensure_bucket().await {
        assert!(start.elapsed() < TEST_TIMEOUT, "{error:?}");
        sleep(Duration::from_millis(200)).await;
    }
    let report = provider.check_bucket().await.expect("no problem");
    assert_eq!(report.warnings, [""; 0]);

    let lock = until_answered(&provider, config("mail"))
        .await
        .expect("is free");
    let info = place.api("STREAM.INFO", &json!({})).await;
    let leader = info["cluster"]["leader"].as_str().expect("a leader");
    let mut servers = cluster.servers().iter();
    let leader = servers
        .find(|server| server.name() == leader)
        .expect("one of the three");
    leader.kill().await.expect("signals can be sent");

    let other = builder().build().expect("valid");
    assert!(
        until_answered(&other, config("mail")).await.is_none(),
        "the lock is held"
    );
    let start = Instant::now();
    while let Err(error) = provider.try_lock(config("probe")).await {
        assert!(start.elapsed() < TEST_TIMEOUT, "{error:?}");
    }
    lock.unlock().await.expect("two of three are enough");
    let next = until_answered(&other, config("mail"))
        .await
        .expect("was released");

    // The old leader comes back, and learns what it has missed.
    leader.restart().await.expect("it comes back");
    assert!(until_answered(&provider, config("mail")).await.is_none());
    next.unlock().await.expect("NATS answers");
}

/// Contenders on many names at once: each name is granted once, and nobody sees an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_name_is_granted_once() {
    const NAMES: usize = 40;
    let place = Place::new(server_or_skip!(Nats::shared().await)).await;
    let contenders: Vec<_> = (0..16)
        .map(|_| {
            let provider = place.provider();
            tokio::spawn(async move {
                let mut won = 0;
                for name in 0..NAMES {
                    let clock = provider.info().clock().boot();
                    let request = AcquireRequest::new(config(&format!("race-{name}")), clock);
                    match provider
                        .acquire(&request)
                        .await
                        .expect("contention is no error")
                    {
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
