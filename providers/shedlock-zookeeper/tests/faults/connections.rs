//! What happens when the network loses connections, sessions, requests and replies.

use std::time::Duration;

use shedlock_runtime::{ErrorKind, LockAdmin as _, LockProvider as _};
use shedlock_testkit::proxy::{Direction, Ending, Rule, Trigger};
use shedlock_testkit::requests::{config, in_time, problem, request, taken};
use shedlock_testkit::servers::ZooKeeper;
use shedlock_testkit::{Proxy, RoundTrips, server_or_skip};
use shedlock_zookeeper::ZooKeeperLockProvider;
use shedlock_zookeeper::zookeeper_client::{Client, Connector};
use tokio::time::sleep;

use super::place::Place;

/// The text of a record, which only writes have on their way to the server.
const WRITE: &str = "lockedBy";

/// A provider that reaches the server through the proxy.
async fn behind_proxy(server: &ZooKeeper, place: &Place) -> (Proxy, ZooKeeperLockProvider) {
    let proxy = Proxy::start(server.address())
        .await
        .expect("a port is free");
    let url = format!("zookeeper://{}", proxy.address());
    let provider = ZooKeeperLockProvider::builder_from_url(&url).path(&place.path);
    (proxy, provider.build().expect("valid"))
}

/// A proxy, and a connector whose sessions last one second.
async fn short_sessions(server: &ZooKeeper) -> (Proxy, Connector) {
    let proxy = Proxy::start(server.address()).await;
    let connector = Client::connector()
        .with_session_timeout(Duration::from_secs(1))
        .with_connection_timeout(Duration::from_millis(500))
        .with_fail_eagerly();
    (proxy.expect("a port is free"), connector)
}

/// Lets nothing pass for three times the timeout of the sessions.
async fn let_sessions_expire(proxy: &Proxy) {
    proxy.set(Rule::Hold(Direction::Both));
    sleep(Duration::from_secs(3)).await;
    proxy.set(Rule::Pass);
    proxy.end_connections(Ending::Reset);
}

async fn version(place: &Place) -> i32 {
    place.get("mail").await.expect("a node").stat.version
}

/// A firewall has forgotten the connection: nothing comes, and nothing says so.
#[tokio::test]
async fn a_dead_connection_is_replaced_in_the_same_call() {
    let server = server_or_skip!(ZooKeeper::shared().await);
    let place = Place::new(server).await;
    let (proxy, provider) = behind_proxy(server, &place).await;
    let lock = taken(&provider, "held").await;
    proxy.blackhole_connections();
    let next = taken(&provider, "mail").await;
    next.unlock().await.expect("the same call");
    lock.unlock().await.expect("ZooKeeper answers");
}

/// The session has ended on the server, and the client gets to know it with its next connection.
#[tokio::test]
async fn an_expired_session_is_replaced_in_the_same_call_and_ends_no_lock() {
    let server = server_or_skip!(ZooKeeper::shared().await);
    let place = Place::new(server).await;
    let (proxy, connector) = short_sessions(server).await;
    let provider =
        ZooKeeperLockProvider::builder_from_connector(connector, &proxy.address().to_string());
    let provider = provider.path(&place.path).build().expect("valid");
    let lock = taken(&provider, "mail").await;
    let_sessions_expire(&proxy).await;
    drop(taken(&provider, "other").await);
    lock.unlock().await.expect("the lock is no ephemeral node");
}

/// What the README says of `new(client)`: the provider cannot replace the client.
#[tokio::test]
async fn an_expired_session_of_a_client_is_told_with_the_remedy() {
    let server = server_or_skip!(ZooKeeper::shared().await);
    let place = Place::new(server).await;
    let (proxy, connector) = short_sessions(server).await;
    let address = proxy.address().to_string();
    // Half a second for a connection may be too short on a busy machine.
    let client = in_time(async {
        loop {
            if let Ok(client) = connector.clone().connect(&address).await {
                return client;
            }
        }
    });
    let provider = ZooKeeperLockProvider::builder(client.await);
    let provider = provider.path(&place.path).build().expect("valid");
    drop(taken(&provider, "warm").await);
    let_sessions_expire(&proxy).await;
    let error = problem(&provider, "mail").await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let remedy = error.remedy().unwrap_or_default();
    assert!(remedy.contains("opens new sessions"), "{error:?}");
}

/// The reply to a write is lost. The write is sent again, and the owner's node tells that it has been done.
#[tokio::test]
async fn a_write_whose_reply_is_lost_is_done_once_and_granted() {
    let server = server_or_skip!(ZooKeeper::shared().await);
    let place = Place::new(server).await;
    let (proxy, provider) = behind_proxy(server, &place).await;
    let mut lock = taken(&provider, "mail").await;
    let before = version(&place).await;
    proxy.on(
        Trigger::containing(WRITE),
        Rule::Discard(Direction::ToClient),
    );
    let back = async || {
        sleep(Duration::from_millis(700)).await;
        proxy.set(Rule::Pass);
    };
    let (extended, ()) = tokio::join!(lock.extend("20m", Duration::ZERO), back());
    extended.expect("asked again");
    assert_eq!(version(&place).await, before + 1);

    proxy.on(
        Trigger::containing(WRITE),
        Rule::Discard(Direction::ToClient),
    );
    let forcing = provider.force_release("mail", "its node is gone");
    let (forced, ()) = tokio::join!(forcing, back());
    assert!(forced.expect("asked again"), "it was this call's");
    assert_eq!(version(&place).await, before + 2);
}

/// The write passes, its reply does not, and then nothing does: the lock may have been granted.
#[tokio::test]
async fn a_write_that_may_have_been_done_is_in_doubt() {
    let server = server_or_skip!(ZooKeeper::shared().await);
    let place = Place::new(server).await;
    let (proxy, provider) = behind_proxy(server, &place).await;
    let warm = taken(&provider, "mail").await;
    warm.unlock().await.expect("ZooKeeper answers");
    let before = version(&place).await;
    proxy.refuse_connections().await;
    proxy.on(Trigger::containing(WRITE), Rule::EndOnReply(Ending::Reset));
    let asked = provider.acquire(&request(&provider, config("mail"))).await;
    let error = asked.expect_err("there is no answer");
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error:?}");
    assert_eq!(version(&place).await, before + 1, "it was granted");
}

/// A write that comes after its caller has given up finds another version.
#[tokio::test]
async fn a_late_write_changes_nothing() {
    let server = server_or_skip!(ZooKeeper::shared().await);
    let place = Place::new(server).await;
    let (proxy, slow) = behind_proxy(server, &place).await;
    let lock = taken(&slow, "mail").await;
    proxy.set(Rule::Hold(Direction::ToServer));
    let unlocking = tokio::time::timeout(Duration::from_millis(300), lock.unlock()).await;
    assert!(unlocking.is_err(), "nothing passes");
    let quick = place.provider();
    let forced = quick.force_release("mail", "its node is slow").await;
    assert!(forced.expect("ZooKeeper answers"));
    let next = taken(&quick, "mail").await;
    let node = place.get("mail").await;
    proxy.set(Rule::Pass);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(place.get("mail").await, node);
    assert!(next.is_held());
}

/// How often a node waits for the server: an acquisition reads before it writes.
#[tokio::test]
async fn round_trips_are_as_few_as_the_readme_says() {
    let server = server_or_skip!(ZooKeeper::shared().await);
    let place = Place::new(server).await;
    let (proxy, provider) = behind_proxy(server, &place).await;
    let expected = RoundTrips {
        acquire: 2,
        refusal: 1,
        extend: 1,
        release: 1,
    };
    assert_eq!(RoundTrips::count(&proxy, &provider).await, expected);
}
