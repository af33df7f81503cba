//! What happens when etcd refuses the login or a request, and when others use our keys.

use shedlock_etcd::EtcdLockProvider;
use shedlock_runtime::{
    ErrorKind, LockAdmin as _, LockConfiguration, LockError, LockProviderExt as _, Ownership,
    SkipReason,
};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Etcd;

use super::{
    KEY, POSITION, config, error, extended, held, is_free, must_become_free, must_have_no_leases,
    node, value,
};

const ROOT: &str = "--user=root:s3cret";

async fn as_root(server: &Etcd, command: &str) -> String {
    let words: Vec<&str> = [ROOT].into_iter().chain(command.split(' ')).collect();
    server.execute(&words).await
}

/// Switches authentication on, with the user `jobs` who has the role `locks`.
async fn with_authentication(server: &Etcd) {
    for command in [
        "user add root:s3cret",
        "user grant-role root root",
        "user add jobs:p@ss,word",
        "role add locks",
        "user grant-role jobs locks",
        "auth enable",
    ] {
        server
            .execute(&command.split(' ').collect::<Vec<_>>())
            .await;
    }
}

fn user(server: &Etcd, login: &str) -> EtcdLockProvider {
    node(&server.url().replace("http://", &format!("http://{login}@")))
}

#[tokio::test]
async fn a_login_that_is_refused_says_so() {
    let server = server_or_skip!(Etcd::start().await);
    let nobody = node(&server.url());
    let root = user(&server, "root:s3cret");
    assert!(is_free(&nobody).await);
    assert!(
        is_free(&root).await,
        "without authentication, no login is needed"
    );
    with_authentication(&server).await;
    for node in [
        &nobody,
        &user(&server, "root:wr0ng"),
        &user(&server, "who:s3cret"),
    ] {
        let refused = error(node).await;
        assert_eq!(refused.kind(), ErrorKind::Configuration, "{refused:?}");
        let said = format!("{refused} {refused:?}");
        assert!(said.contains("http://user:password@"), "{said}");
        assert!(
            !said.contains("wr0ng") && !said.contains("s3cret"),
            "{said}"
        );
    }
    // The provider that was there before logs in, with the next call.
    assert!(is_free(&root).await);
    assert!(!format!("{root:?}").contains("s3cret"));
    as_root(&server, "auth disable").await;
    assert!(is_free(&root).await && is_free(&nobody).await);
}

/// etcd forgets tokens when it restarts, and refuses those from before a change of users.
#[tokio::test]
async fn a_token_that_is_too_old_is_replaced_within_the_call() {
    let server = server_or_skip!(Etcd::start().await);
    with_authentication(&server).await;
    let root = user(&server, "root:s3cret");
    let mut lock = held(&root).await;
    server.kill().await.expect("the server runs");
    server.restart().await.expect("the server comes back");
    assert_eq!(extended(&mut lock).await, Ownership::Ours);
    as_root(&server, "user add other:s3cret").await;
    assert_eq!(extended(&mut lock).await, Ownership::Ours);
    as_root(&server, "role add other").await;
    assert_eq!(lock.unlock().await.expect("etcd answers"), Ownership::Ours);
}

/// The rights in the README are enough, and each of them is needed.
#[tokio::test]
async fn the_least_rights_are_enough() {
    let server = server_or_skip!(Etcd::start().await);
    with_authentication(&server).await;
    let node = user(&server, "jobs:p%40ss%2Cword");
    let use_all = async || -> Result<(), LockError> {
        let config = config().with_instant(std::time::SystemTime::now())?;
        let mut lock = node.try_lock(config.clone()).await?.expect("it is free");
        assert!(node.try_lock(config).await?.is_none());
        lock.extend("10m", "0s").await?;
        lock.complete().await?;
        assert_eq!(node.list().await?, []);
        node.prune(std::time::Duration::ZERO).await?;
        Ok(())
    };
    let refused = use_all().await.expect_err("no right");
    assert_eq!(refused.kind(), ErrorKind::Permission, "{refused:?}");
    assert!(
        refused.to_string().contains("grant-permission"),
        "{refused}"
    );
    let rights = ["shedlock:", "shedlock-position:"];
    for missing in rights {
        for right in rights {
            let verb = if right == missing { "revoke" } else { "grant" };
            let right = match verb {
                "grant" => format!("readwrite {right}"),
                _ => right.to_owned(),
            };
            let command = format!("role {verb}-permission --prefix=true locks {right}");
            let words: Vec<&str> = [ROOT].into_iter().chain(command.split(' ')).collect();
            // At first there is nothing to revoke.
            let _either = server.try_execute(&words).await;
        }
        let refused = use_all().await.expect_err(missing);
        assert_eq!(
            refused.kind(),
            ErrorKind::Permission,
            "without {missing}: {refused:?}"
        );
    }
    for right in rights {
        as_root(
            &server,
            &format!("role grant-permission --prefix=true locks readwrite {right}"),
        )
        .await;
    }
    use_all().await.expect("the rights are enough");
    // A right to read alone.
    as_root(
        &server,
        "role revoke-permission --prefix=true locks shedlock:",
    )
    .await;
    as_root(
        &server,
        "role grant-permission --prefix=true locks read shedlock:",
    )
    .await;
    let refused = error(&node).await;
    assert_eq!(refused.kind(), ErrorKind::Permission, "{refused:?}");
    assert_eq!(
        as_root(&server, "lease list").await.lines().count(),
        1,
        "a lease was left"
    );
}

#[tokio::test]
async fn what_others_keep_under_our_keys_is_left_alone() {
    let server = server_or_skip!(Etcd::start().await);
    let node = node(&server.url());
    for stored in ["precious", "ADDED:2026-11-28T10:41:11.355Z@app.example"] {
        server.execute(&["put", KEY, stored]).await;
        let refused = error(&node).await;
        assert_eq!(refused.kind(), ErrorKind::Schema, "{stored}: {refused:?}");
        assert!(refused.to_string().contains(KEY), "{refused}");
        let listed = node.list().await.expect("etcd answers");
        assert!(
            matches!(&listed[..], [one] if one.name == "a" && one.problem.is_some()),
            "{stored}: {listed:?}"
        );
        assert_eq!(value(&server, KEY).await, stored);
        let forced = node.force_release("a", "it never ends").await;
        if stored == "precious" {
            let refused = forced.expect_err("it is no lock");
            assert_eq!(refused.kind(), ErrorKind::Schema, "{refused:?}");
            let until = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
            let refused = node.pause("a", until, "").await.expect_err("it is no lock");
            assert_eq!(refused.kind(), ErrorKind::Schema, "{refused:?}");
            assert_eq!(value(&server, KEY).await, stored);
        } else {
            // It is a lock without an end, which an operator may end.
            assert!(listed[0].is_held(), "{listed:?}");
            assert!(forced.expect("etcd answers"));
            assert_eq!(value(&server, KEY).await, "");
        }
        server.execute(&["del", KEY]).await;
    }
    // What is no position only matters to a run that asks for one.
    server.execute(&["put", POSITION, "precious"]).await;
    assert!(is_free(&node).await);
    let step = || config().with_step(1).expect("a legal step");
    let refused = node.try_lock(step()).await.expect_err("it is no position");
    assert_eq!(refused.kind(), ErrorKind::Schema, "{refused:?}");
    assert!(refused.to_string().contains(POSITION), "{refused}");
    assert_eq!(
        node.prune(std::time::Duration::ZERO)
            .await
            .expect("etcd answers"),
        0
    );
    assert_eq!(value(&server, POSITION).await, "precious");
    must_have_no_leases(&server).await;
}

/// Positions stay until an operator forgets them, and not while their lock is held.
#[tokio::test]
async fn positions_are_pruned() {
    let server = server_or_skip!(Etcd::start().await);
    let node = node(&server.url());
    let step = |step| config().with_step(step).expect("a legal step");
    let first = node
        .try_lock(step(1))
        .await
        .expect("etcd answers")
        .expect("it is due");
    let prune = async |unused_for| {
        let unused_for = std::time::Duration::from_secs(unused_for);
        node.prune(unused_for).await.expect("etcd answers")
    };
    assert_eq!(prune(0).await, 0, "its lock is held");
    first.complete().await.expect("etcd answers");
    let again = node
        .lock(step(1))
        .await
        .expect("etcd answers")
        .expect_err("it was done");
    assert_eq!(again.reason, SkipReason::AlreadyRan);
    assert!(again.node.is_some(), "which node ran it: {again:?}");
    assert_eq!(prune(3600).await, 0, "it is in use");
    assert_eq!(
        node.prune_prefix("b", std::time::Duration::ZERO)
            .await
            .expect("etcd answers"),
        0
    );
    assert_eq!(prune(0).await, 1);
    assert_eq!(server.execute(&["get", "", "--prefix"]).await, "");
    assert!(
        node.try_lock(step(1))
            .await
            .expect("etcd answers")
            .is_some()
    );
}

async fn is_of_3_5_1(server: &Etcd) -> bool {
    let status = server.execute(&["endpoint", "status"]).await;
    status.contains(", 3.5.1, ")
}

#[tokio::test]
async fn a_full_database_is_an_error_and_locks_can_be_released() {
    let quota = ["--quota-backend-bytes", "1000000"];
    let server = server_or_skip!(Etcd::start_with(&quota).await);
    let node = node(&server.url());
    let mut lock = held(&node).await;
    let filler = "x".repeat(100_000);
    for number in 0..40 {
        let put = ["put", &format!("filler-{number}"), &filler];
        if server.try_execute(&put).await.is_err() {
            break;
        }
    }
    let full = node.try_lock(config()).await.expect("it may be read");
    assert!(full.is_none(), "it is held");
    let full = lock
        .extend("10m", "0s")
        .await
        .expect_err("there is no room");
    assert_eq!(full.kind(), ErrorKind::Unavailable, "{full:?}");
    assert!(full.to_string().contains("alarm disarm"), "{full}");
    let released = lock.unlock().await;
    if is_of_3_5_1(&server).await {
        // It counts a deletion as if it needed room; the runtime tries again in the background.
        let full = released.expect_err("there is no room");
        assert_eq!(full.kind(), ErrorKind::Unavailable, "{full:?}");
    } else {
        assert_eq!(released.expect("a deletion needs no room"), Ownership::Ours);
        must_have_no_leases(&server).await;
    }
    let node = super::node(&server.url());
    let other = LockConfiguration::new("b", "10m").expect("a legal configuration");
    let full = node.try_lock(other).await.expect_err("there is no room");
    assert_eq!(full.kind(), ErrorKind::Unavailable, "{full:?}");

    server.execute(&["del", "filler", "--prefix"]).await;
    let status = server
        .execute(&["endpoint", "status", "-w", "fields"])
        .await;
    let revision = |line: &str| line.strip_prefix("\"Revision\" : ").map(str::to_owned);
    let revision = status.lines().find_map(revision).expect("a revision");
    server.execute(&["compact", &revision]).await;
    server.execute(&["defrag"]).await;
    server.execute(&["alarm", "disarm"]).await;
    must_become_free(&node).await;
}

#[tokio::test]
async fn what_is_no_etcd_says_so() {
    let server = server_or_skip!(Etcd::shared().await);
    let refused = error(&node(&format!("{}/elsewhere", server.url()))).await;
    assert_eq!(refused.kind(), ErrorKind::Configuration, "{refused:?}");
    assert!(refused.to_string().contains("404"), "{refused}");
    assert!(
        refused.to_string().contains("--enable-grpc-gateway"),
        "{refused}"
    );
}
