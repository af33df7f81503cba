//! What happens when nodes are deleted by hand, full, or not permitted.

use std::time::{Duration, SystemTime};

use shedlock_runtime::{ErrorKind, LockAdmin as _, Ownership};
use shedlock_testkit::requests::{is_free, problem, taken};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::ZooKeeper;
use shedlock_zookeeper::ZooKeeperLockProvider;
use shedlock_zookeeper::zookeeper_client::{Acl, Acls, AuthId, Client, CreateMode, Permission};
use tokio::time::sleep;

use super::place::{OPEN, Place, data};

#[tokio::test]
async fn a_tree_that_is_deleted_under_a_held_lock_is_made_anew() {
    let place = Place::new(server_or_skip!(ZooKeeper::shared().await)).await;
    let provider = place.provider();
    let mut lock = taken(&provider, "mail").await;
    let token = lock.fencing_token();
    place.remove().await;
    let error = lock.extend("20m", Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Lost);
    let next = taken(&provider, "mail").await;
    assert!(next.fencing_token() > token);
    assert_eq!(
        next.unlock().await.expect("ZooKeeper answers"),
        Ownership::Ours
    );
}

/// A node whose ACL gives these rights to a user, and no right to others.
async fn granted(server: &ZooKeeper, path: &str, rights: Permission) -> ZooKeeperLockProvider {
    let servers = server.address().to_string();
    let connector = Client::connector().with_auth("digest", b"locks:correct-horse");
    let user = connector.connect(&servers).await.expect("a session");
    let acl = [Acl::new(rights, AuthId::authed())];
    let options = CreateMode::Persistent.with_acls(Acls::from(&acl[..]));
    user.mkdir(path, &options).await.expect("can be created");
    let url = format!("zookeeper://locks:correct-horse@{servers}");
    let provider = ZooKeeperLockProvider::builder_from_url(&url).path(path);
    let provider = provider.acl([Acl::new(rights, AuthId::authed())]);
    provider.build().expect("valid")
}

/// The rights that the README lists are enough.
#[tokio::test]
async fn the_least_rights_are_enough() {
    let server = server_or_skip!(ZooKeeper::shared().await);
    let place = Place::new(server).await;
    let least = Permission::READ | Permission::WRITE | Permission::CREATE;
    let provider = granted(server, &place.path, least).await;
    let lock = taken(&provider, "mail").await;
    lock.unlock().await.expect("may be written");
    drop(taken(&provider, "mail").await);
    assert_eq!(provider.list().await.expect("may be listed").len(), 1);
    sleep(Duration::from_millis(5)).await;
    provider
        .force_release("mail", "its node is gone")
        .await
        .expect("may be written");
    sleep(Duration::from_millis(5)).await;
    let error = provider.prune(Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert!(error.to_string().contains("DELETE below"), "{error}");

    let pruning = format!("{}-pruned", place.path);
    let provider = granted(server, &pruning, least | Permission::DELETE).await;
    let lock = taken(&provider, "mail").await;
    lock.unlock().await.expect("may be written");
    sleep(Duration::from_millis(5)).await;
    let pruned = provider.prune(Duration::ZERO).await;
    assert_eq!(pruned.expect("may be deleted"), 1);
}

#[tokio::test]
async fn a_right_that_is_missing_is_named() {
    let server = server_or_skip!(ZooKeeper::shared().await);
    let place = Place::new(server).await;
    let reader = granted(server, &place.path, Permission::READ).await;
    assert_eq!(reader.list().await.expect("may be read"), []);
    let error = problem(&reader, "mail").await;
    assert_eq!(error.kind(), ErrorKind::Permission);
    let right = format!("CREATE below `{}", place.path);
    assert!(error.to_string().contains(&right), "{error}");
    let stranger = problem(&place.provider(), "mail").await;
    assert_eq!(stranger.kind(), ErrorKind::Permission);
}

#[tokio::test]
async fn an_acl_that_cannot_be_is_told() {
    let place = Place::new(server_or_skip!(ZooKeeper::shared().await)).await;
    // Nobody has logged in.
    let acl = [Acl::new(Permission::ALL, AuthId::authed())];
    let error = problem(&place.builder().acl(acl).build().expect("valid"), "mail").await;
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("the ACL"), "{error}");
}

/// A parent that a JVM node has made is an empty node, and stays one when a clean-up has deleted the last lock below it.
#[tokio::test]
async fn an_empty_parent_can_be_a_lock_after_its_last_child_was_pruned() {
    let place = Place::new(server_or_skip!(ZooKeeper::shared().await)).await;
    let provider = place.provider();
    let ended = data(SystemTime::now() - Duration::from_secs(60));
    assert!(place.create("a/b", &ended).await);
    let pruned = provider.prune(Duration::ZERO).await;
    assert_eq!(pruned.expect("ZooKeeper answers"), 1);
    let parent = place.get("a").await.expect("it stays");
    assert_eq!((&*parent.data, parent.stat.num_children), ("", 0));
    assert_eq!(provider.list().await.expect("ZooKeeper answers"), []);

    let lock = taken(&provider, "a").await;
    let node = place.get("a").await.expect("a node");
    assert!(node.lock_until() > SystemTime::now());
    assert_eq!(node.stat.version, parent.stat.version + 1);
    assert!(!is_free(&provider, "a").await);
    assert_eq!(
        lock.unlock().await.expect("ZooKeeper answers"),
        Ownership::Ours
    );
}

#[tokio::test]
async fn a_quota_that_is_full_is_an_error_and_no_refusal() {
    let enforced = ZooKeeper::start_with(&["-Dzookeeper.enforceQuota=true"]).await;
    let server = server_or_skip!(enforced);
    let place = Place::new(&server).await;
    let provider = place.provider();
    let lock = taken(&provider, "first").await;
    let quota = format!("/zookeeper/quota{}", place.path);
    place
        .client
        .mkdir(&quota, &OPEN)
        .await
        .expect("can be created");
    for (node, data) in [
        (
            "zookeeper_limits",
            "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=3",
        ),
        ("zookeeper_stats", "count=5,bytes=0"),
    ] {
        let path = format!("{quota}/{node}");
        let made = place.client.create(&path, data.as_bytes(), &OPEN).await;
        made.expect("can be created");
    }
    let error = problem(&provider, "mail").await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("quota"), "{error}");
    // What is there can still be released.
    lock.unlock().await.expect("the same nodes");
}
