//! What happens when etcd refuses a request, and when others use our keys.

use shedlock_runtime::{
    ErrorKind, LockAdmin as _, LockConfiguration, LockProviderExt as _, Ownership,
};
use shedlock_testkit::requests::{is_free, problem, taken, until_free};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Etcd;

use super::{KEY, POSITION, config, must_have_no_leases, node, value};

#[tokio::test]
async fn what_others_keep_under_our_keys_is_left_alone() {
    let server = server_or_skip!(Etcd::start().await);
    let node = node(&server.url());
    for stored in ["precious", "ADDED:2026-11-28T10:41:11.355Z@app.example"] {
        server.execute(&["put", KEY, stored]).await;
        let refused = problem(&node, "a").await;
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
    assert!(is_free(&node, "a").await);
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

async fn is_of_3_5_1(server: &Etcd) -> bool {
    let status = server.execute(&["endpoint", "status"]).await;
    status.contains(", 3.5.1, ")
}

#[tokio::test]
async fn a_full_database_is_an_error_and_locks_can_be_released() {
    let quota = ["--quota-backend-bytes", "1000000"];
    let server = server_or_skip!(Etcd::start_with(&quota).await);
    let node = node(&server.url());
    let mut lock = taken(&node, "a").await;
    let step = LockConfiguration::new("c", "10m").and_then(|it| it.with_step(1));
    let run = node.try_lock(step.expect("legal")).await;
    let run = run.expect("etcd answers").expect("it is free");
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
    match released {
        Ok(released) => {
            assert_eq!(released, Ownership::Ours);
            assert_eq!(server.leases().await.len(), 1, "the other run's");
        }
        // Where the file has outgrown the quota, this version counts a deletion as if it needed room. The runtime tries again in the background.
        Err(full) => {
            assert!(is_of_3_5_1(&server).await, "{full:?}");
            assert_eq!(full.kind(), ErrorKind::Unavailable, "{full:?}");
        }
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
    // Until the alarm is disarmed, etcd takes deletions alone. A lock is worth more than the time in its position.
    let released = run.unlock().await.expect("a deletion is enough");
    assert_eq!(released, Ownership::Ours);
    server.execute(&["alarm", "disarm"]).await;
    until_free(&node, "a").await;
}

#[tokio::test]
async fn what_is_no_etcd_says_so() {
    let server = server_or_skip!(Etcd::shared().await);
    let refused = problem(&node(&format!("{}/elsewhere", server.url())), "a").await;
    assert_eq!(refused.kind(), ErrorKind::Configuration, "{refused:?}");
    assert!(refused.to_string().contains("404"), "{refused}");
    assert!(
        refused.to_string().contains("--enable-grpc-gateway"),
        "{refused}"
    );
}
