//! What happens behind sentinels: the primary fails over, and sentinels fail.

use std::time::{Duration, Instant};

use shedlock_redis::redis::{Client, RedisResult, Value, cmd};
use shedlock_runtime::{ErrorKind, Ownership};
use shedlock_testkit::proxy::{Direction, Rule};
use shedlock_testkit::requests::{TEST_TIMEOUT, extended, is_free, taken};
use shedlock_testkit::servers::redis::Sentinel;
use shedlock_testkit::servers::{Redis, RedisSentinels};
use shedlock_testkit::{Proxy, server_or_skip};

use super::{KEY, ask, config, node, until_answered, until_extended, until_replicated};

/// Whether the server says that it is a replica. A primary that becomes one closes its connections, also the one that asks.
async fn has_become_replica(server: &Redis) -> bool {
    let asked = async {
        let client = Client::open(server.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let told: Vec<Value> = cmd("ROLE").query_async(&mut connection).await?;
        RedisResult::Ok(told.into_iter().next())
    };
    matches!(asked.await, Ok(Some(Value::BulkString(role))) if role == b"slave")
}

/// A lock that the replica had received is kept, whether the primary was killed or stands still.
#[tokio::test]
async fn a_failover_keeps_what_the_replica_had_received() {
    for stands_still in [false, true] {
        let watched = server_or_skip!(RedisSentinels::start().await);
        let (one, two) = (node(&watched.url()), node(&watched.url()));
        let (primary, replica) = (watched.primary(), watched.replica());
        let mut lock = taken(&one, "a").await;
        until_replicated(primary).await;
        if stands_still {
            primary.pause().await.expect("the server runs");
        } else {
            primary.kill().await.expect("the server runs");
        }
        assert!(
            until_answered(&two, &config()).await.is_none(),
            "it is held"
        );
        assert!(ask(replica, &["ROLE"]).await.starts_with("master"));
        assert_eq!(until_extended(&mut lock).await, Ownership::Ours);
        let token = lock.fencing_token();
        assert_eq!(
            lock.unlock().await.expect("the new primary answers"),
            Ownership::Ours
        );
        let next = until_answered(&two, &config()).await.expect("was released");
        assert!(next.fencing_token() > token);

        // The old primary comes back, is a primary for a moment, and then a replica.
        if stands_still {
            primary.resume().await.expect("the server runs");
        } else {
            primary.restart().await.expect("the server comes back");
        }
        let start = Instant::now();
        while !has_become_replica(primary).await {
            assert!(start.elapsed() < TEST_TIMEOUT, "it stays a primary");
            assert!(
                until_answered(&one, &config()).await.is_none(),
                "it is held"
            );
        }
        assert_eq!(
            next.unlock().await.expect("the new primary answers"),
            Ownership::Ours
        );
    }
}

/// The limit that the README tells: what the replica had not received is lost, and its holder is told.
#[tokio::test]
async fn a_failover_loses_what_the_replica_had_not_received() {
    let watched = server_or_skip!(RedisSentinels::start().await);
    let (one, two) = (node(&watched.url()), node(&watched.url()));
    let (primary, replica) = (watched.primary(), watched.replica());
    let token = {
        let earlier = taken(&one, "a").await;
        let token = earlier.fencing_token();
        assert_eq!(
            earlier.unlock().await.expect("is answered"),
            Ownership::Ours
        );
        token
    };
    until_replicated(primary).await;
    // The replica hears nothing of the lock.
    replica.pause().await.expect("the server runs");
    ask(primary, &["CLIENT", "KILL", "TYPE", "replica"]).await;
    let mut lock = taken(&one, "a").await;
    primary.kill().await.expect("the server runs");
    replica.resume().await.expect("the server runs");
    let next = until_answered(&two, &config())
        .await
        .expect("the lock was lost");
    assert!(next.fencing_token() > token && next.fencing_token() > lock.fencing_token());
    assert_eq!(extended(&mut lock).await, Ownership::Lost);
    let value = ask(replica, &["GET", KEY]).await;
    drop(lock);
    assert_eq!(ask(replica, &["GET", KEY]).await, value);
    assert_eq!(next.unlock().await.expect("is answered"), Ownership::Ours);
}

#[tokio::test]
async fn sentinels_that_are_away_or_stand_still_hinder_nobody() {
    let watched = server_or_skip!(RedisSentinels::start().await);
    let [first, second, third] = watched.sentinels() else {
        panic!("three sentinels");
    };
    first.kill().await.expect("the sentinel runs");
    second.pause().await.expect("the sentinel runs");
    let start = Instant::now();
    assert!(is_free(&node(&watched.url()), "a").await);
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    let connected = node(&watched.url());
    assert!(is_free(&connected, "a").await);
    // Without any, a connection that is there goes on, and no other can be opened.
    third.kill().await.expect("the sentinel runs");
    assert!(is_free(&connected, "a").await);
    second.kill().await.expect("the sentinel runs");
    let error = super::error(&node(&watched.url())).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}

/// Has a sentinel name the replica as the primary, as one does that has not heard of a failover. The quorum keeps it from doing more.
async fn mislead(sentinel: &Sentinel, replica: &Redis) {
    let client = redis::Client::open(format!("redis://{}", sentinel.address()));
    let client = client.expect("a valid URL");
    let connection = client.get_multiplexed_async_connection().await;
    let mut connection = connection.expect("the sentinel answers");
    let port = replica.port().to_string();
    let remove = ["REMOVE", "cache"];
    let monitor = ["MONITOR", "cache", "127.0.0.1", &port, "9"];
    for arguments in [&remove[..], &monitor] {
        let mut command = redis::cmd("SENTINEL");
        command.arg(arguments);
        let done: String = command.query_async(&mut connection).await.expect("is done");
        assert_eq!(done, "OK");
    }
}

/// The sentinel that names a replica is the nearest: the others answer through a slow network.
#[tokio::test]
async fn a_sentinel_that_has_not_heard_of_a_failover_hinders_nobody() {
    let watched = server_or_skip!(RedisSentinels::start().await);
    let [stale, second, third] = watched.sentinels() else {
        panic!("three sentinels");
    };
    let (primary, replica) = (watched.primary(), watched.replica());
    mislead(stale, replica).await;
    let mut url = watched.url();
    let mut network = Vec::new();
    for sentinel in [second, third] {
        let slow = Proxy::start(sentinel.address()).await;
        let slow = slow.expect("a port can be had");
        slow.set(Rule::Delay(Direction::Both, Duration::from_millis(200)));
        url = slow.url(&url);
        network.push(slow);
    }
    let misled = node(&url);
    let mut lock = taken(&misled, "a").await;
    assert_eq!(extended(&mut lock).await, Ownership::Ours);
    assert_eq!(lock.unlock().await.expect("is answered"), Ownership::Ours);

    // Nobody else to ask, and then a user that may not ask for the role: what the sentinel says is taken for true.
    let alone = format!("redis+sentinel://{}/cache", stale.address());
    let error = super::error(&node(&alone)).await;
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error:?}");
    let user = ["ACL", "SETUSER", "jobs", "on", ">s3cret", "~*", "+@all"];
    for server in [primary, replica] {
        let set = ask(server, &[&user[..], &["-role"]].concat()).await;
        assert_eq!(set, "OK");
    }
    let as_user = |url: &str| node(&url.replace("://", "://jobs:s3cret@"));
    let third = format!("redis+sentinel://{}/cache", third.address());
    assert!(is_free(&as_user(&third), "a").await);
    let error = super::error(&as_user(&alone)).await;
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error:?}");
}

#[tokio::test]
async fn a_name_that_no_sentinel_knows_is_told() {
    let watched = server_or_skip!(RedisSentinels::start().await);
    let url = watched.url().replace("/cache", "/cash");
    let error = super::error(&node(&url)).await;
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error:?}");
    assert!(error.to_string().contains("no sentinel knows"), "{error}");
    // A server that is no sentinel.
    let address = watched.primary().address();
    let error = super::error(&node(&format!("redis+sentinel://{address}/cache"))).await;
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error:?}");
    assert!(error.to_string().contains("is no sentinel"), "{error}");
}
