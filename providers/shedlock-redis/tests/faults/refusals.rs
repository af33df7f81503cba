//! What happens when the server refuses the login or a command, and when others use our keys.

use std::time::Duration;

use shedlock_redis::RedisLockProvider;
use shedlock_runtime::{
    ErrorKind, LockAdmin as _, LockError, LockProvider as _, LockProviderExt as _, Ownership,
    TrackingLockProvider,
};
use shedlock_testkit::requests::{is_free, take, taken};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Redis;

use super::{FENCE, KEY, ask, config, error, must_be_set, node};

#[tokio::test]
async fn a_login_that_is_refused_says_so() {
    let server = server_or_skip!(Redis::start().await);
    let node = node(&server.url());
    assert!(is_free(&node, "a").await);
    must_be_set(&server, "requirepass", "s3cret").await;
    assert!(is_free(&node, "a").await, "who is in stays in");
    ask(
        &server,
        &["-a", "s3cret", "CLIENT", "KILL", "TYPE", "normal"],
    )
    .await;
    let refused = error(&node).await;
    assert_eq!(refused.kind(), ErrorKind::Configuration, "{refused:?}");
    assert!(
        refused.to_string().contains("redis://user:password@"),
        "{refused}"
    );
    let with_password = server.url().replace("redis://", "redis://:s3cret@");
    assert!(is_free(&self::node(&with_password), "a").await);
}

/// The rights in the error and in the README are enough, and each of them is needed.
#[tokio::test]
async fn the_least_rights_are_enough() {
    let server = server_or_skip!(Redis::start().await);
    let rights = "~job-lock:* ~shedlock-fence:* +eval +evalsha +get +set +del +pttl +pexpire +persist +hmget +hset +time";
    let rights: Vec<&str> = rights.split(' ').collect();
    let url = server.url().replace("redis://", "redis://jobs:s3cret@");
    let node = node(&url);
    let set_user = async |rights: &[&str]| {
        ask(&server, &["ACL", "DELUSER", "jobs"]).await;
        let user = ["ACL", "SETUSER", "jobs", "on", ">s3cret"];
        assert_eq!(ask(&server, &[&user, rights].concat()).await, "OK");
        ask(&server, &["DEL", KEY, FENCE]).await;
        ask(&server, &["SCRIPT", "FLUSH"]).await;
        // The connection went with the user: whatever this call says, the next one has a new one.
        let _either = node.get("a").await;
    };
    let use_all = async || -> Result<(), LockError> {
        let mut lock = node.try_lock(config()).await?.expect("it is free");
        assert!(node.try_lock(config()).await?.is_none());
        lock.extend("10m", "0s").await?;
        assert_eq!(lock.unlock().await?, Ownership::Ours);
        // The fence is that of a chain from now on.
        let step = config().with_step(1).expect("a legal step");
        let first = node.try_lock(step.clone()).await?.expect("it is free");
        assert_eq!(first.complete().await?, Ownership::Ours);
        assert!(node.try_lock(step).await?.is_none());
        assert_eq!(node.get("a").await?, None);
        Ok(())
    };
    set_user(&rights).await;
    use_all().await.expect("the rights are enough");
    let connected = RedisLockProvider::connect(&url).await;
    connected.expect("nothing but a login is needed");
    for at in 0..rights.len() {
        let mut less = rights.clone();
        let missing = less.remove(at);
        set_user(&less).await;
        match use_all().await {
            Err(refused) => assert_eq!(
                refused.kind(),
                ErrorKind::Permission,
                "without {missing}: {refused:?}"
            ),
            Ok(()) => panic!("{missing} is not needed"),
        }
    }
    // For operators.
    set_user(&[&rights[..], &["+scan", "+info"]].concat()).await;
    assert_eq!(node.list().await.expect("the right is there"), []);
    assert_eq!(
        node.prune(Duration::ZERO)
            .await
            .expect("the right is there"),
        0
    );
    node.check_store().await.expect("the right is there");
}

#[tokio::test]
async fn what_others_keep_under_our_keys_is_left_alone() {
    let server = server_or_skip!(Redis::start().await);
    let node = node(&server.url());
    let list: [&[&str]; 3] = [
        &["SET", KEY, "precious"],
        &["SET", KEY, "ADDED:2026-11-28T10:41:11.355Z@app.example"],
        &["RPUSH", KEY, "precious"],
    ];
    for write in list {
        ask(&server, write).await;
        let dump = ask(&server, &["DUMP", KEY]).await;
        let refused = error(&node).await;
        assert_eq!(refused.kind(), ErrorKind::Schema, "{write:?}: {refused:?}");
        assert!(refused.to_string().contains(KEY), "{refused}");
        let listed = node.list().await.expect("the server answers");
        assert!(
            matches!(&listed[..], [one] if one.name == "a" && one.problem.is_some()),
            "{write:?}: {listed:?}"
        );
        if write[2].contains('@') {
            // It is a lock without an end, which an operator may end.
            assert!(listed[0].is_held(), "{listed:?}");
            assert!(
                node.force_release("a", "")
                    .await
                    .expect("the server answers")
            );
        } else {
            let forced = node
                .force_release("a", "")
                .await
                .expect_err("it is no lock");
            assert_eq!(forced.kind(), ErrorKind::Schema, "{write:?}: {forced:?}");
            assert_eq!(ask(&server, &["DUMP", KEY]).await, dump, "{write:?}");
        }
        ask(&server, &["DEL", KEY]).await;
    }
    // The fence of another type.
    ask(&server, &["SET", FENCE, "precious"]).await;
    assert_eq!(error(&node).await.kind(), ErrorKind::Schema);
    assert_eq!(ask(&server, &["GET", FENCE]).await, "precious");
}

/// What the first late release leaves in the fence is not taken for the next release, carried out.
#[tokio::test]
async fn a_lock_that_was_deleted_is_lost_to_every_release() {
    let server = server_or_skip!(Redis::start().await);
    let node = node(&server.url());
    let lease = take(&node, "a").await;
    ask(&server, &["DEL", KEY]).await;
    for time in 1..=3 {
        let released = node.release(&lease, Duration::ZERO).await;
        assert_eq!(released.expect("is answered"), Ownership::Lost, "{time}");
    }
    let next = take(&node, "a").await;
    assert_eq!(next.predecessor(), None, "the holder has released");
    let released = node.release(&next, Duration::ZERO).await;
    assert_eq!(released.expect("is answered"), Ownership::Ours);

    // As a program does that gives its locks back while a task still holds one.
    let tracking = TrackingLockProvider::new(node);
    let lock = taken(&tracking, "a").await;
    ask(&server, &["DEL", KEY]).await;
    assert_eq!(tracking.release_all().await.lost, 1);
    let released = lock.unlock().await.expect("is answered");
    assert_eq!(released, Ownership::Lost);
}
