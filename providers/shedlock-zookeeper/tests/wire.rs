//! What is in the nodes is what JVM nodes write and read, and both sides honour each other's locks.

#[path = "support/place.rs"]
mod place;

use std::time::{Duration, SystemTime};

use shedlock_runtime::{
    ErrorKind, Lock, LockAdmin as _, LockConfiguration, LockProviderExt as _, LockRecord,
    Ownership, SkipReason,
};
use shedlock_testkit::requests::jvm_now;
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::ZooKeeper;
use shedlock_zookeeper::ZooKeeperLockProvider;
use shedlock_zookeeper::zookeeper_client::{Acl, AuthId, CreateMode, Permission};
use tokio::time::sleep;

use place::{Place, data};

const JOB: &str = "nightly_report";

fn config(at_most: &str) -> LockConfiguration {
    config_of(JOB, at_most)
}

fn config_of(name: &str, at_most: &str) -> LockConfiguration {
    LockConfiguration::new(name, at_most).expect("a legal configuration")
}

async fn try_lock(provider: &ZooKeeperLockProvider, config: LockConfiguration) -> Option<Lock> {
    provider.try_lock(config).await.expect("ZooKeeper answers")
}

/// ShedLock on the JVM, request by request.
struct Peer<'a> {
    place: &'a Place,
    name: &'a str,
    at_least: SystemTime,
}

impl<'a> Peer<'a> {
    async fn try_lock(
        place: &'a Place,
        name: &'a str,
        at_most: u64,
        at_least: u64,
    ) -> Option<Self> {
        let now = jvm_now();
        let until = data(now + Duration::from_millis(at_most));
        let taken = match place.get(name).await {
            None => place.create(name, &until).await,
            // What is no time is held for ever by its rules.
            Some(node) if node.data.is_empty() => false,
            Some(node) if node.lock_until() > now => false,
            Some(node) => place.set(name, &until, Some(node.stat.version)).await,
        };
        let at_least = now + Duration::from_millis(at_least);
        taken.then_some(Self {
            place,
            name,
            at_least,
        })
    }

    async fn unlock(self) {
        let end = self.at_least.max(jvm_now());
        assert!(self.place.set(self.name, &data(end), None).await);
    }
}

#[tokio::test]
async fn a_node_has_a_time_and_the_rest_is_beside_it() {
    let place = Place::new(server_or_skip!(ZooKeeper::shared().await)).await;
    let provider = place.builder().node_name("web-ü 1").build().expect("valid");
    let before = SystemTime::now();
    let lock = try_lock(&provider, config("1m")).await.expect("is free");

    let node = place.get(JOB).await.expect("a node");
    assert_eq!(node.data.len(), 24, "{}", node.data);
    assert_eq!(node.stat.ephemeral_owner, 0);
    let lasts = node.lock_until().duration_since(before).expect("later");
    assert!(lasts.abs_diff(Duration::from_secs(60)) < Duration::from_secs(20));
    assert_eq!(lock.fencing_token(), u64::try_from(node.stat.mzxid).ok());
    let owner = place.owner_node(JOB).await.expect("an owner");
    let record = LockRecord::from_json(&owner.data).expect("a record");
    assert!(record.locked_by.starts_with("web-ü 1#"), "{}", owner.data);
    assert_eq!(record.lock_until, node.lock_until());
    assert_eq!(
        owner.stat.mzxid, node.stat.mzxid,
        "one transaction wrote both"
    );

    lock.unlock().await.expect("ZooKeeper answers");
    let freed = place.get(JOB).await.expect("free records stay");
    assert!(freed.lock_until() <= SystemTime::now());
    assert_eq!(
        (freed.data.len(), freed.stat.version),
        (24, node.stat.version + 1)
    );
    let parent = place.client.get_data(&place.path).await.expect("a parent");
    assert_eq!(parent.0, b"", "as JVM nodes make it");
}

#[tokio::test]
async fn a_jvm_peer_skips_while_rust_holds_and_takes_over_afterwards() {
    let place = Place::new(server_or_skip!(ZooKeeper::shared().await)).await;
    let provider = place.provider();
    let lock = try_lock(&provider, config("1m")).await.expect("is free");
    assert!(Peer::try_lock(&place, JOB, 60_000, 0).await.is_none());
    lock.unlock().await.expect("ZooKeeper answers");
    let peer = Peer::try_lock(&place, JOB, 60_000, 0).await;
    let peer = peer.expect("was released");
    assert!(try_lock(&provider, config("1m")).await.is_none());
    peer.unlock().await;

    // A lease that ended without a release.
    let lock = try_lock(&provider, config("2s")).await.expect("is free");
    sleep(Duration::from_millis(2_100)).await;
    assert!(Peer::try_lock(&place, JOB, 60_000, 0).await.is_some());
    let node = place.get(JOB).await;
    assert_eq!(
        lock.unlock().await.expect("ZooKeeper answers"),
        Ownership::Lost
    );
    assert_eq!(place.get(JOB).await, node, "the lease is the peer's");
    assert!(try_lock(&provider, config("1m")).await.is_none());
}

#[tokio::test]
async fn rust_skips_while_a_jvm_peer_holds_and_takes_over_afterwards() {
    let place = Place::new(server_or_skip!(ZooKeeper::shared().await)).await;
    let provider = place.provider();
    let peer = Peer::try_lock(&place, JOB, 60_000, 0)
        .await
        .expect("is free");
    assert!(try_lock(&provider, config("1m")).await.is_none());
    let held = provider.get(JOB).await.expect("ZooKeeper answers");
    let held = held.expect("a record");
    assert!(held.is_held() && held.problem.is_none(), "{held:?}");
    peer.unlock().await;
    let lock = try_lock(&provider, config("1m"))
        .await
        .expect("was released");
    let token = lock.fencing_token().expect("a token");
    lock.unlock().await.expect("ZooKeeper answers");

    // A lease that ended without a release.
    let peer = Peer::try_lock(&place, JOB, 300, 0).await.expect("is free");
    sleep(Duration::from_millis(400)).await;
    let mut lock = try_lock(&provider, config("10s")).await.expect("has ended");
    assert!(lock.fencing_token() > Some(token));

    // The limit that the README tells: a JVM node's release has no condition. The holder is told.
    peer.unlock().await;
    let next = Peer::try_lock(&place, JOB, 60_000, 0).await;
    assert!(next.is_some(), "the late release has freed the lock");
    let extended = lock.extend("1m", Duration::ZERO).await;
    assert_eq!(
        extended.expect_err("it is the peer's").kind(),
        ErrorKind::Lost
    );
}

#[tokio::test]
async fn both_honour_the_others_at_least() {
    let place = Place::new(server_or_skip!(ZooKeeper::shared().await)).await;
    let provider = place.provider();
    let peer = Peer::try_lock(&place, JOB, 60_000, 2_000).await;
    peer.expect("is free").unlock().await;
    assert!(try_lock(&provider, config("1m")).await.is_none());
    sleep(Duration::from_millis(2_100)).await;

    let kept = config("1m").with_at_least("2s").expect("legal");
    let lock = try_lock(&provider, kept).await.expect("at least has ended");
    lock.unlock().await.expect("ZooKeeper answers");
    assert!(Peer::try_lock(&place, JOB, 60_000, 0).await.is_none());
    sleep(Duration::from_millis(2_100)).await;
    assert!(Peer::try_lock(&place, JOB, 60_000, 0).await.is_some());
}

#[tokio::test]
async fn a_position_is_beside_the_node_and_outlives_the_runs_of_jvm_nodes() {
    let place = Place::new(server_or_skip!(ZooKeeper::shared().await)).await;
    let provider = place.provider();
    let step = |number| config("1m").with_step(number).expect("a legal step");
    let refused = async |config| {
        let answer = provider.lock(config).await.expect("ZooKeeper answers");
        answer.expect_err("it must not run").reason
    };
    let lock = try_lock(&provider, step(1)).await.expect("it may run");
    assert!(Peer::try_lock(&place, JOB, 60_000, 0).await.is_none());
    assert_eq!(
        lock.complete().await.expect("ZooKeeper answers"),
        Ownership::Ours
    );

    let peer = Peer::try_lock(&place, JOB, 60_000, 0)
        .await
        .expect("is free");
    assert_eq!(refused(step(2)).await, SkipReason::Held);
    peer.unlock().await;
    assert_eq!(refused(step(1)).await, SkipReason::AlreadyRan);
    assert_eq!(refused(step(3)).await, SkipReason::Gap);
    assert!(try_lock(&provider, step(2)).await.is_some());
}

/// ShedLock leaves an empty parent, which JVM nodes then take for a held lock for ever.
#[tokio::test]
async fn the_parent_of_a_lock_can_be_a_lock_too() {
    let place = Place::new(server_or_skip!(ZooKeeper::shared().await)).await;
    let provider = place.provider();
    let held = try_lock(&provider, config_of("ours/a/b", "1m")).await;
    let held = held.expect("is free");
    let names = async || {
        let listed = provider.list().await.expect("ZooKeeper answers");
        listed.iter().map(|it| it.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["ours/a/b"]);
    let parent = Peer::try_lock(&place, "ours/a", 60_000, 0).await;
    parent
        .expect("a JVM node can have the parent")
        .unlock()
        .await;
    let parent = try_lock(&provider, config_of("ours/a", "1m")).await;
    let parent = parent.expect("was released");
    assert_eq!(names().await, ["ours/a", "ours/a/b"]);
    parent.unlock().await.expect("ZooKeeper answers");
    sleep(Duration::from_millis(5)).await;
    let pruned = provider.prune(Duration::ZERO).await;
    assert_eq!(pruned.expect("ZooKeeper answers"), 1);
    assert_eq!(names().await, ["ours/a/b"]);
    assert!(Peer::try_lock(&place, "ours/a", 60_000, 0).await.is_some());
    held.unlock().await.expect("the child was left alone");

    assert!(
        Peer::try_lock(&place, "theirs/b", 60_000, 0)
            .await
            .is_some()
    );
    assert_eq!(place.get("theirs").await.expect("a parent").data, "");
    let parent = try_lock(&provider, config_of("theirs", "1m")).await;
    assert!(parent.is_some(), "nobody holds an empty parent");
}

#[tokio::test]
async fn what_is_no_lock_is_told_and_left_alone() {
    let place = Place::new(server_or_skip!(ZooKeeper::shared().await)).await;
    let provider = place.provider();
    // An empty node without children may be of a ShedLock before 2.5, which kept no times.
    for (name, found) in [("settings", "cache entry"), ("empty", "")] {
        assert!(place.create(name, found).await);
        let before = place.get(name).await;
        let error = provider.try_lock(config_of(name, "1m")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Schema);
        let told = format!("{} bytes that are not a time", found.len());
        assert!(error.to_string().contains(&told), "{error}");
        assert_eq!(place.get(name).await, before);
    }
    let ephemeral = format!("{}/ephemeral", place.path);
    let options = CreateMode::Ephemeral.with_acls(place::OPEN_ACLS);
    let made = place.client.create(&ephemeral, b"", &options).await;
    made.expect("can be created");
    let error = provider.try_lock(config_of("ephemeral", "1m")).await;
    assert!(error.unwrap_err().to_string().contains("is ephemeral"));
    let child = provider.try_lock(config_of("ephemeral/a", "1m")).await;
    assert_eq!(child.unwrap_err().kind(), ErrorKind::Schema);
    let listed = provider.list().await.expect("ZooKeeper answers");
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|it| it.problem.is_some()), "{listed:?}");
    let pruned = provider.prune(Duration::ZERO).await;
    assert_eq!(pruned.expect("ZooKeeper answers"), 0);
}

/// A node that is deleted and created anew begins at version 0. What expects the old record must not take the new one for it.
#[tokio::test]
async fn tokens_and_versions_grow_over_a_deletion() {
    let place = Place::new(server_or_skip!(ZooKeeper::shared().await)).await;
    let provider = place.provider();
    let old = try_lock(&provider, config("2s")).await.expect("is free");
    let token = old.fencing_token();
    let before = place.get(JOB).await.expect("a node");
    sleep(Duration::from_millis(2_100)).await;
    let pruned = provider.prune(Duration::ZERO).await;
    assert_eq!(pruned.expect("ZooKeeper answers"), 1);
    assert_eq!(
        (place.get(JOB).await, place.owner_node(JOB).await),
        (None, None)
    );
    let new = try_lock(&provider, config("1m")).await.expect("is free");
    assert!(new.fencing_token() > token);
    let after = place.get(JOB).await.expect("a node");
    assert_eq!(after.stat.version, before.stat.version);
    assert_eq!(
        old.unlock().await.expect("ZooKeeper answers"),
        Ownership::Lost
    );
    assert_eq!(place.get(JOB).await, Some(after));
    assert!(new.is_held());
}

#[tokio::test]
async fn nodes_have_the_acl_of_the_builder() {
    let place = Place::new(server_or_skip!(ZooKeeper::shared().await)).await;
    let all_but_admin =
        Permission::READ | Permission::WRITE | Permission::CREATE | Permission::DELETE;
    let acl = [Acl::new(all_but_admin, AuthId::anyone())];
    let provider = place.builder().acl(acl.clone()).build().expect("valid");
    drop(
        try_lock(&provider, config_of("a/b", "1m"))
            .await
            .expect("is free"),
    );
    for path in ["", "/.rust", "/a", "/a/b"] {
        let found = place.client.get_acl(&format!("{}{path}", place.path)).await;
        assert_eq!(found.expect("a node").0, acl, "{path}");
    }
}
