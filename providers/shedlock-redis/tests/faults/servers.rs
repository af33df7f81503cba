//! What happens when the server is killed, stands still, changes its role, or has other things to do.

use std::time::{Duration, Instant};

use shedlock_runtime::{ErrorKind, LockConfiguration, LockProviderExt as _, Ownership, SkipReason};
use shedlock_testkit::proxy::Ending;
use shedlock_testkit::requests::{extended, is_free, taken, until_free};
use shedlock_testkit::servers::Redis;
use shedlock_testkit::{Proxy, server_or_skip};

use super::{KEY, ask, config, error, must_be_set, node};

#[tokio::test]
async fn a_killed_server_keeps_locks_with_an_append_only_file_alone() {
    for (appendonly, keeps) in [("yes", true), ("no", false)] {
        let server = server_or_skip!(Redis::start_with(&["--appendonly", appendonly]).await);
        let (one, two) = (node(&server.url()), node(&server.url()));
        let mut lock = taken(&one, "a").await;
        let token = lock.fencing_token();
        server.kill().await.expect("the server runs");
        let away = error(&two).await;
        assert_eq!(away.kind(), ErrorKind::Unavailable, "{away:?}");
        server.restart().await.expect("the server comes back");
        // Over a connection that died, and to a server that does not know the script.
        let kept = extended(&mut lock).await;
        assert_eq!(kept == Ownership::Ours, keeps, "{appendonly}");
        assert_eq!(is_free(&two, "a").await, !keeps, "{appendonly}");
        if keeps {
            assert_eq!(
                lock.unlock().await.expect("the server answers"),
                Ownership::Ours
            );
        }
        assert!(
            taken(&two, "a").await.fencing_token() > token,
            "{appendonly}"
        );
    }
}

#[tokio::test]
async fn a_server_that_stands_still_is_a_timeout_and_what_it_granted_is_given_back() {
    let server = server_or_skip!(Redis::start().await);
    let node = node(&server.url());
    assert!(is_free(&node, "a").await);
    server.pause().await.expect("the server runs");
    let began = Instant::now();
    let impatient = config().with_timeout("600ms").expect("a legal time limit");
    let late = node.try_lock(impatient).await.expect_err("nobody answers");
    assert_eq!(late.kind(), ErrorKind::Timeout, "{late:?}");
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    server.resume().await.expect("the server runs");
    // Both requests may be carried out now; the runtime looks for what they were granted.
    until_free(&node, "a").await;
}

#[tokio::test]
async fn a_replica_is_read_only_and_its_primary_is_found_again() {
    let (primary, replica) = (
        server_or_skip!(Redis::start().await),
        server_or_skip!(Redis::start().await),
    );
    replica.replicate_from(primary.address()).await;
    let proxy = Proxy::start(replica.address())
        .await
        .expect("a port can be had");
    let node = node(&proxy.url(&replica.url()));
    let refused = error(&node).await;
    assert_eq!(refused.kind(), ErrorKind::ReadOnly, "{refused:?}");
    assert!(
        refused.to_string().contains("connect to the primary"),
        "{refused}"
    );
    let checked = node.check_store().await.expect_err("it is a replica");
    assert_eq!(checked.kind(), ErrorKind::ReadOnly);
    // The address leads to the primary now; the connection that is there does not.
    proxy.set_upstream(primary.address());
    assert!(is_free(&node, "a").await);
    // A replica without its primary that does not answer either.
    proxy.set_upstream(replica.address());
    proxy.end_connections(Ending::Close);
    must_be_set(&replica, "replica-serve-stale-data", "no").await;
    primary.kill().await.expect("the server runs");
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        let refused = error(&node).await;
        match refused.kind() {
            ErrorKind::Unavailable => {
                break assert!(
                    refused.to_string().contains("lost its primary"),
                    "{refused}"
                );
            }
            kind => assert_eq!(kind, ErrorKind::ReadOnly, "{refused:?}"),
        }
        assert!(Instant::now() < limit, "{refused:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ask(&replica, &["REPLICAOF", "NO", "ONE"]).await, "OK");
    assert!(is_free(&node, "a").await, "the promoted one serves");
}

#[tokio::test]
async fn a_server_without_memory_takes_no_lock_and_serves_those_that_are_there() {
    let server = server_or_skip!(Redis::start().await);
    let node = node(&server.url());
    let mut lock = taken(&node, "a").await;
    let chain = LockConfiguration::new("chain", "10m").and_then(|it| it.with_step(1));
    let chain = chain.expect("a legal configuration");
    let step = node.try_lock(chain.clone()).await;
    let mut step = step.expect("the server answers").expect("it is free");
    must_be_set(&server, "maxmemory", "1").await;
    let config = LockConfiguration::new("b", "10m").expect("a legal configuration");
    let full = node.try_lock(config).await.expect_err("no memory");
    assert_eq!(full.kind(), ErrorKind::Unavailable, "{full:?}");
    assert!(full.to_string().contains("`maxmemory`"), "{full}");
    assert_eq!(extended(&mut lock).await, Ownership::Ours);
    assert_eq!(
        lock.unlock().await.expect("it needs no memory"),
        Ownership::Ours
    );
    assert_eq!(ask(&server, &["EXISTS", KEY]).await, "0");
    assert_eq!(extended(&mut step).await, Ownership::Ours);
    assert_eq!(
        step.complete().await.expect("it needs no memory"),
        Ownership::Ours
    );
    let done = node.lock(chain).await.expect("a refusal writes nothing");
    let refused = done.expect_err("the step is done");
    assert_eq!(refused.reason, SkipReason::AlreadyRan);
}

#[tokio::test]
async fn eviction_takes_a_lock_away_and_is_warned_of() {
    let server = server_or_skip!(Redis::start().await);
    let node = node(&server.url());
    let report = node.check_store().await.expect("the server answers");
    assert!(
        report.version().starts_with("Redis ") || report.version().starts_with("Valkey "),
        "{report:?}"
    );
    assert_eq!(report.warnings(), [""; 0]);
    let mut lock = taken(&node, "a").await;
    must_be_set(&server, "maxmemory-policy", "volatile-ttl").await;
    let report = node.check_store().await.expect("the server answers");
    assert!(
        matches!(report.warnings(), [one] if one.contains("set `noeviction`")),
        "{report:?}"
    );
    must_be_set(&server, "maxmemory", "1").await;
    // The next command of anybody makes room.
    ask(&server, &["SET", "somebody", "else"]).await;
    must_be_set(&server, "maxmemory", "0").await;
    assert_eq!(
        ask(&server, &["EXISTS", KEY]).await,
        "0",
        "the server has evicted the lock"
    );
    assert_eq!(extended(&mut lock).await, Ownership::Lost);
    assert!(is_free(&node, "a").await);
}

#[tokio::test]
async fn a_server_that_loads_or_is_busy_is_unavailable() {
    let server = server_or_skip!(Redis::start_with(&["--enable-debug-command", "yes"]).await);
    let node = node(&server.url());
    assert!(is_free(&node, "a").await);
    // Each key takes 1 ms to load.
    ask(&server, &["DEBUG", "POPULATE", "2000", "x"]).await;
    ask(
        &server,
        &[
            "CONFIG",
            "SET",
            "key-load-delay",
            "1000",
            "loading-process-events-interval-bytes",
            "1024",
        ],
    )
    .await;
    let reload = {
        let server = server.clone();
        tokio::spawn(async move { server.execute(&["DEBUG", "RELOAD"]).await })
    };
    let loading = loop {
        match node
            .try_lock(config().with_timeout("2s").expect("legal"))
            .await
        {
            Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) if error.kind() == ErrorKind::Timeout => {}
            Err(error) => break error,
        }
        assert!(!reload.is_finished(), "the server was never seen loading");
    };
    assert_eq!(loading.kind(), ErrorKind::Unavailable, "{loading:?}");
    assert!(loading.to_string().contains("loading"), "{loading}");
    reload.await.expect("no panic");
    until_free(&node, "a").await;

    must_be_set(&server, "busy-reply-threshold", "1").await;
    let script = {
        let server = server.clone();
        tokio::spawn(async move { server.execute(&["EVAL", "while true do end", "0"]).await })
    };
    let busy = loop {
        match node.try_lock(config()).await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => break error,
        }
    };
    assert_eq!(busy.kind(), ErrorKind::Unavailable, "{busy:?}");
    assert!(busy.to_string().contains("SCRIPT KILL"), "{busy}");
    assert_eq!(ask(&server, &["SCRIPT", "KILL"]).await, "OK");
    script.await.expect("no panic");
    until_free(&node, "a").await;
}
