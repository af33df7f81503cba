//! What happens in a cluster: slots move, servers fail, and the cluster is down.

use std::time::{Duration, Instant};

use shedlock_runtime::{
    ErrorKind, Lock, LockAdmin as _, LockProviderExt as _, Ownership, SkipReason,
};
use shedlock_testkit::requests::{TEST_TIMEOUT, config, extended, taken};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{Redis, RedisCluster};

use super::{ask, node, until_answered, until_extended, until_replicated};

async fn unlocked(lock: Lock) -> Ownership {
    lock.unlock().await.expect("the cluster answers")
}

/// Names of locks whose keys are in the slots of each of the three servers.
async fn names(cluster: &RedisCluster) -> [String; 3] {
    let mut names = [const { String::new() }; 3];
    for number in 0.. {
        let name = format!("job-{number}");
        let key = format!("job-lock:default:{name}");
        let slot = ask(cluster.primaries()[0], &["CLUSTER", "KEYSLOT", &key]).await;
        let slot: usize = slot.parse().expect("a number");
        names[(slot * 3 / 16_384).min(2)] = name;
        if names.iter().all(|name| !name.is_empty()) {
            break;
        }
    }
    names
}

#[tokio::test]
async fn each_lock_is_where_its_slot_is() {
    let cluster = server_or_skip!(RedisCluster::start().await);
    // One server is enough to find the others.
    let [_, _, third] = cluster.primaries();
    let node = node(&format!("redis+cluster://{}", third.address()));
    let names = names(&cluster).await;
    for (server, name) in cluster.primaries().into_iter().zip(&names) {
        let mut lock = taken(&node, name).await;
        let key = format!("job-lock:default:{name}");
        assert_eq!(ask(server, &["EXISTS", &key]).await, "1");
        let fence = format!("shedlock-fence:{{{key}}}");
        assert_eq!(ask(server, &["EXISTS", &fence]).await, "1");
        assert_eq!(extended(&mut lock).await, Ownership::Ours);
        lock.release_on_drop(false);
    }
    let listed = node.list().await.expect("all servers answer");
    let mut listed: Vec<_> = listed.into_iter().map(|it| it.name).collect();
    listed.sort_unstable();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(listed, sorted);
    for name in &names {
        assert!(node.force_release(name, "").await.expect("is answered"));
        let chain = config(name).with_step(1).expect("a legal step");
        let first = node.try_lock(chain.clone()).await.expect("is answered");
        let completed = first.expect("it is free").complete().await;
        assert_eq!(completed.expect("is answered"), Ownership::Ours);
        let again = node.lock(chain).await.expect("is answered");
        let again = again.expect_err("the step is done");
        assert_eq!(again.reason, SkipReason::AlreadyRan);
    }
    assert_eq!(node.prune(Duration::ZERO).await.expect("is answered"), 3);
    let report = node.check_store().await.expect("all servers answer");
    assert!(
        matches!(report.warnings(), [one] if one.contains("replicas")),
        "{report:?}"
    );
}

/// A slot is handed over while its lock is held: `ASK` while it is on its way, `MOVED` afterwards.
#[tokio::test]
async fn a_slot_that_moves_takes_its_lock_along() {
    let cluster = server_or_skip!(RedisCluster::start().await);
    let node = node(&cluster.url());
    let [name, ..] = names(&cluster).await;
    let [from, to, other] = cluster.primaries();
    let key = format!("job-lock:default:{name}");
    let fence = format!("shedlock-fence:{{{key}}}");
    let slot = ask(from, &["CLUSTER", "KEYSLOT", &key]).await;
    let id = async |server: &Redis| ask(server, &["CLUSTER", "MYID"]).await;
    let (from_id, to_id) = (id(from).await, id(to).await);
    let set_slot = async |server: &Redis, state: &str, id: &str| {
        let command = ["CLUSTER", "SETSLOT", &slot, state, id];
        assert_eq!(ask(server, &command).await, "OK");
    };

    let mut lock = taken(&node, &name).await;
    set_slot(to, "IMPORTING", &from_id).await;
    set_slot(from, "MIGRATING", &to_id).await;
    assert_eq!(extended(&mut lock).await, Ownership::Ours, "not moved yet");
    // One of the two keys has moved: neither server can run a script on both.
    let port = to.port().to_string();
    let migrate = async |keys: &[&str]| {
        let command = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
        assert_eq!(ask(from, &[&command, keys].concat()).await, "OK");
    };
    migrate(&[&key]).await;
    let split = node.try_lock(config(&name)).await;
    let split = split.expect_err("the keys are on two servers");
    assert_eq!(split.kind(), ErrorKind::Unavailable, "{split:?}");
    migrate(&[&fence]).await;
    assert_eq!(extended(&mut lock).await, Ownership::Ours, "ASK");
    assert_eq!(
        ask(from, &["EXISTS", &key]).await.split(' ').next(),
        Some("ASK")
    );
    for server in [to, from, other] {
        set_slot(server, "NODE", &to_id).await;
    }
    assert_eq!(extended(&mut lock).await, Ownership::Ours, "MOVED");
    assert_eq!(ask(to, &["EXISTS", &key]).await, "1");
    assert_eq!(unlocked(lock).await, Ownership::Ours);
    assert_eq!(ask(to, &["EXISTS", &key]).await, "0");
    // A server that was not the lock's to begin with.
    let single = super::node(&from.url());
    let error = super::error_of(&single, config(&name)).await;
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    assert!(error.to_string().contains("redis+cluster://"), "{error}");
}

/// The first server is killed or stands still. Its replica takes over, with the locks that it had received.
#[tokio::test]
async fn a_replica_takes_over() {
    for stands_still in [false, true] {
        let cluster = server_or_skip!(RedisCluster::start().await);
        let (one, two) = (node(&cluster.url()), node(&cluster.url()));
        let [name, other_name, _] = names(&cluster).await;
        let [first, ..] = cluster.primaries();
        let mut lock = taken(&one, &name).await;
        until_replicated(first).await;
        if stands_still {
            first.pause().await.expect("the server runs");
        } else {
            first.kill().await.expect("the server runs");
        }
        let start = Instant::now();
        assert!(
            until_answered(&two, &config(&name)).await.is_none(),
            "it is held"
        );
        assert!(start.elapsed() < TEST_TIMEOUT);
        assert_eq!(until_extended(&mut lock).await, Ownership::Ours);
        assert_eq!(unlocked(lock).await, Ownership::Ours);
        let next = until_answered(&two, &config(&name))
            .await
            .expect("was released");
        // A node that starts now finds the others, though the first server in its URL is away.
        let three = node(&cluster.url());
        let elsewhere = until_answered(&three, &config(&other_name)).await;
        assert_eq!(
            unlocked(elsewhere.expect("it is free")).await,
            Ownership::Ours
        );

        // The old server comes back, and becomes a replica.
        if stands_still {
            first.resume().await.expect("the server runs");
        } else {
            first.restart().await.expect("the server comes back");
        }
        while !ask(first, &["ROLE"]).await.starts_with("slave") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(
            until_answered(&one, &config(&name)).await.is_none(),
            "it is held"
        );
        assert_eq!(unlocked(next).await, Ownership::Ours);
    }
}

/// The second server has no replica. Without it, its slots are gone, and the cluster serves none.
#[tokio::test]
async fn a_cluster_that_is_down_is_unavailable_and_comes_back() {
    let cluster = server_or_skip!(RedisCluster::start().await);
    let node = node(&cluster.url());
    let [name, lost_name, _] = names(&cluster).await;
    let mut lock = taken(&node, &lost_name).await;
    let [_, second, _] = cluster.primaries();
    second.kill().await.expect("the server runs");
    let away = super::error_of(&node, config(&lost_name)).await;
    assert_eq!(away.kind(), ErrorKind::Unavailable, "{away:?}");
    let start = Instant::now();
    let down = loop {
        match node.get(&name).await {
            Ok(found) => assert_eq!(found, None, "nobody takes it"),
            Err(down) => break down,
        }
        assert!(start.elapsed() < TEST_TIMEOUT, "the cluster is never down");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(down.kind(), ErrorKind::Unavailable, "{down:?}");
    assert!(down.to_string().contains("lock's slot"), "{down}");
    second.restart().await.expect("the server comes back");
    let free = until_answered(&node, &config(&name))
        .await
        .expect("it is free");
    assert_eq!(unlocked(free).await, Ownership::Ours);
    assert!(
        until_answered(&node, &config(&lost_name)).await.is_none(),
        "it is held"
    );
    assert_eq!(extended(&mut lock).await, Ownership::Ours, "it was on disk");
}
