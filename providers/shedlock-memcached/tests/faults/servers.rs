//! What happens when the server is killed, restarted, stands still, or has no connection left.

use std::time::{Duration, Instant};

use shedlock_runtime::{ErrorKind, LockProvider as _, LockProviderExt as _, Ownership};
use shedlock_testkit::requests::{config, extended, problem, take, taken};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Memcached;
use tokio::net::TcpStream;

use super::{KEY, is_free, item, must_become_free, node};

#[tokio::test]
async fn a_restart_frees_all_locks_and_the_holder_is_told() {
    let server = server_or_skip!(Memcached::start().await);
    let (one, two) = (node(&server.url()), node(&server.url()));
    let mut lock = taken(&one, "a").await;
    server.kill().await.expect("the server runs");
    let away = problem(&two, "a").await;
    assert_eq!(away.kind(), ErrorKind::Unavailable, "{away:?}");
    server.restart().await.expect("the server comes back");
    assert_eq!(extended(&mut lock).await, Ownership::Lost);
    assert!(is_free(&two).await, "the server has forgotten it");
}

/// The numbers of writes begin anew with the server, so the next holder's record may have the number of the first one's.
#[tokio::test]
async fn a_number_that_comes_again_after_a_restart_does_not_make_an_owner() {
    let server = server_or_skip!(Memcached::start().await);
    for is_release in [false, true] {
        server.restart().await.expect("the server comes back");
        let (one, two) = (node(&server.url()), node(&server.url()));
        let lease = take(&one, "a").await;
        let number = number_of(&item(&server, KEY).await);
        server.kill().await.expect("the server runs");
        server.restart().await.expect("the server comes back");
        let _next = take(&two, "a").await;
        let before = item(&server, KEY).await;
        assert_eq!(number_of(&before), number, "the case is as it was meant");
        let answer = if is_release {
            one.release(&lease, Duration::ZERO).await
        } else {
            one.extend(&lease, Duration::from_secs(900)).await
        };
        assert_eq!(answer.expect("the server answers"), Ownership::Lost);
        assert_eq!(item(&server, KEY).await, before);
    }
}

/// The number of the last write, from the first line of an item.
fn number_of(item: &str) -> String {
    let head = item.lines().next().expect("an item");
    let number = head.split(' ').find(|part| part.starts_with('c'));
    number.expect("a number").to_owned()
}

#[tokio::test]
async fn a_server_that_stands_still_is_a_timeout_and_what_it_granted_is_given_back() {
    let server = server_or_skip!(Memcached::start().await);
    let node = node(&server.url());
    assert!(is_free(&node).await);
    server.pause().await.expect("the server runs");
    let began = Instant::now();
    let impatient = config("a")
        .with_timeout("600ms")
        .expect("a legal time limit");
    let late = node.try_lock(impatient).await.expect_err("nobody answers");
    assert_eq!(late.kind(), ErrorKind::Timeout, "{late:?}");
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    server.resume().await.expect("the server runs");
    // Both requests may be carried out now; the runtime looks for what they were granted.
    must_become_free(&node).await;
}

#[tokio::test]
async fn a_server_without_a_connection_left_is_unavailable() {
    let server = server_or_skip!(Memcached::start_with(&["-c", "32"]).await);
    let node = node(&server.url());
    let mut others = Vec::new();
    let refused = loop {
        others.push(TcpStream::connect(server.address()).await.expect("a port"));
        match self::node(&server.url()).check_store().await {
            Ok(_) => assert!(others.len() < 100, "the server takes any number"),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused:?}");
    assert!(refused.to_string().contains("greater `-c`"), "{refused}");
    drop(others);
    must_become_free(&node).await;
}
