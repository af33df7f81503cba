//! What happens when the network loses connections and replies.

use std::time::Duration;

use shedlock_etcd::EtcdLockProvider;
use shedlock_runtime::{LockConfiguration, LockProvider as _, LockProviderExt as _, Ownership};
use shedlock_testkit::proxy::{Direction, Rule, Trigger};
use shedlock_testkit::requests;
use shedlock_testkit::requests::{is_free, taken};
use shedlock_testkit::servers::Etcd;
use shedlock_testkit::{Proxy, network, server_or_skip};

use super::{KEY, config, must_have_no_leases, node, value};

const PUT: &str = "request_put";
const DELETE: &str = "request_delete_range";

/// A node that reaches the server through the proxy.
async fn behind_proxy(server: &Etcd) -> (Proxy, EtcdLockProvider) {
    let proxy = Proxy::start(server.address())
        .await
        .expect("a port can be had");
    let node = node(&proxy.url(&server.url()));
    (proxy, node)
}

#[tokio::test]
async fn a_lost_connection_is_replaced_within_the_call() {
    let server = server_or_skip!(Etcd::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    network::must_replace_lost_connections(&proxy, &node, "a").await;
    must_have_no_leases(&server).await;
}

/// Many jobs at one tick: with a connection for each, a member answers all of them so late that all are asked again.
#[tokio::test]
async fn many_calls_at_once_take_turns() {
    let server = server_or_skip!(Etcd::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    network::must_take_turns(&proxy, &node).await;
}

#[tokio::test]
async fn a_repeated_release_by_force_leaves_the_next_holder_alone() {
    let server = server_or_skip!(Etcd::start().await);
    let other = node(&server.url());
    let (proxy, node) = behind_proxy(&server).await;
    let delete = Trigger::containing(DELETE);
    network::must_leave_the_next_holder_alone(&proxy, &node, &other, "a", &delete).await;
}

/// A connection that was idle is not trusted, so nobody waits for it.
#[tokio::test]
async fn a_connection_that_was_idle_is_not_used_again() {
    let server = server_or_skip!(Etcd::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    assert!(is_free(&node, "a").await);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    proxy.blackhole_connections();
    let before = proxy.connections();
    assert!(is_free(&node, "a").await);
    let now = proxy.connections();
    assert!(now.len() > before.len(), "{now:?}");
    for (old, now) in before.iter().zip(&now) {
        assert_eq!(old.client_messages, now.client_messages, "{now:?}");
    }
}

/// The server carries out what the first connection asks for, and the reply is lost: the same call goes on with a second one.
#[tokio::test]
async fn a_lost_reply_is_made_up_for() {
    let server = server_or_skip!(Etcd::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    let lose_reply_to = async |what: &str, times: u64| {
        proxy.on(
            Trigger::containing(what),
            Rule::Discard(Direction::ToClient),
        );
        let before = proxy.counters().discarded_bytes;
        proxy
            .wait_until(|counters| counters.triggered == times && counters.discarded_bytes > before)
            .await;
        proxy.set(Rule::Pass);
    };
    let request = requests::request(&node, config());
    let (answer, ()) = tokio::join!(node.acquire(&request), lose_reply_to("lease/grant", 1));
    let lease = answer.expect("the second connection answers").granted();
    let lease = lease.expect("the lease is there already, and taken as granted");
    assert_eq!(
        node.release(&lease, Duration::ZERO)
            .await
            .expect("etcd answers"),
        Ownership::Ours
    );

    let request = requests::request(&node, config());
    let (answer, ()) = tokio::join!(node.acquire(&request), lose_reply_to(PUT, 2));
    let lease = answer.expect("the second connection answers").granted();
    let lease = lease.expect("asked again, it finds its own record");
    assert!(lease.fencing_token().is_some());
    let extend = node.extend(&lease, Duration::from_secs(900));
    let (extended, ()) = tokio::join!(extend, lose_reply_to(PUT, 3));
    assert_eq!(
        extended.expect("the second connection answers"),
        Ownership::Ours
    );
    assert_eq!(server.leases().await.len(), 1, "the lease before has ended");
    let release = node.release(&lease, Duration::ZERO);
    let (released, ()) = tokio::join!(release, lose_reply_to(DELETE, 4));
    assert_eq!(
        released.expect("the second connection answers"),
        Ownership::Ours,
        "the lease, which is still there, says that this very release deleted the key"
    );
    assert_eq!(value(&server, KEY).await, "");
    assert_eq!(server.leases().await, [""; 0]);

    // A lock that others have deleted is not taken for released.
    let request = requests::request(&node, config());
    let lease = node.acquire(&request).await.expect("etcd answers");
    let lease = lease.granted().expect("the lock is free");
    server
        .execute(&["lease", "revoke", &server.leases().await[0]])
        .await;
    let release = node.release(&lease, Duration::ZERO);
    let (released, ()) = tokio::join!(release, lose_reply_to(DELETE, 5));
    assert_eq!(released.expect("etcd answers"), Ownership::Lost);
}

/// A step whose grant was lost and found again is marked as done by the release.
#[tokio::test]
async fn a_position_survives_a_lost_reply() {
    let server = server_or_skip!(Etcd::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    let step = |step| config().with_step(step).expect("a legal step");
    proxy.on(Trigger::containing(PUT), Rule::Discard(Direction::ToClient));
    let pass = async {
        proxy
            .wait_until(|counters| counters.discarded_bytes > 0)
            .await;
        proxy.set(Rule::Pass);
    };
    let (lock, ()) = tokio::join!(node.lock(step(1)), pass);
    let lock = lock
        .expect("the second connection answers")
        .expect("it is due");
    lock.complete().await.expect("etcd answers");
    let second = node.lock(step(2)).await.expect("etcd answers");
    assert!(second.is_ok(), "the first step is done: {second:?}");
}

#[tokio::test]
async fn a_late_acquisition_takes_nothing() {
    let server = server_or_skip!(Etcd::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    let put = Trigger::containing(PUT);
    network::must_ignore_a_late_acquisition(&proxy, &node, "a", &put).await;
    must_have_no_leases(&server).await;
}

/// The first of two requests arrives when the second was refused and the holder has gone.
#[tokio::test]
async fn a_late_acquisition_after_a_refusal_takes_nothing() {
    let server = server_or_skip!(Etcd::start().await);
    let other = node(&server.url());
    let (proxy, node) = behind_proxy(&server).await;
    let late = proxy.hold_back(Trigger::containing(PUT));
    let refused = tokio::spawn(async move { node.try_lock(config()).await });
    // The first request is on its way, and waits.
    tokio::time::timeout(
        Duration::from_secs(10),
        proxy.wait_until(|it| it.round_trips >= 3),
    )
    .await
    .expect("it is sent");
    let holder = taken(&other, "a").await;
    let refused = refused.await.expect("no panic").expect("etcd answers");
    assert!(refused.is_none());
    assert_eq!(
        holder.unlock().await.expect("etcd answers"),
        Ownership::Ours
    );
    late.deliver().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(value(&server, KEY).await, "");
    must_have_no_leases(&server).await;
}

/// An extension and a release that arrive when the next holder has the lock.
#[tokio::test]
async fn a_late_write_changes_nothing() {
    let server = server_or_skip!(Etcd::start().await);
    let other = node(&server.url());
    for late_write in [PUT, DELETE] {
        let (proxy, node) = behind_proxy(&server).await;
        let mut lock = taken(&node, "a").await;
        let late = proxy.hold_back(Trigger::containing(late_write));
        let write = async {
            if late_write == PUT {
                lock.extend("10m", "0s").await.map(|()| Ownership::Ours)
            } else {
                lock.unlock().await
            }
        };
        let written = write.await.expect("the second connection answers");
        assert_eq!(written, Ownership::Ours);
        if late_write == PUT {
            // The holder is gone in the eyes of an operator.
            server.execute(&["del", KEY]).await;
        }
        let next = taken(&other, "a").await;
        let record = server.execute(&["get", KEY, "-w", "fields"]).await;
        late.deliver().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let after = server.execute(&["get", KEY, "-w", "fields"]).await;
        let of_key = |fields: &str| fields.split_once("\"Key\"").map(|(_, key)| key.to_owned());
        assert_eq!(of_key(&after), of_key(&record), "{late_write}");
        assert_eq!(next.unlock().await.expect("etcd answers"), Ownership::Ours);
    }
}

#[test]
fn a_provider_outlives_the_runtime_that_connected_it() {
    let started = tokio::runtime::Runtime::new().expect("a runtime");
    let server = server_or_skip!(started.block_on(Etcd::start()));
    network::must_outlive_its_runtime(&node(&server.url()), "a");
}

/// What the README says that each operation costs.
#[tokio::test]
async fn round_trips_are_as_few_as_the_readme_says() {
    let server = server_or_skip!(Etcd::start().await);
    let (proxy, node) = behind_proxy(&server).await;
    let mut before = 0;
    let mut spent = || {
        let now = proxy.counters().round_trips;
        now - std::mem::replace(&mut before, now)
    };
    let mut lock = taken(&node, "a").await;
    assert_eq!(spent(), 3, "an acquisition");
    assert!(
        node.try_lock(config())
            .await
            .expect("etcd answers")
            .is_none()
    );
    assert_eq!(spent(), 1, "a refusal");
    lock.extend("10m", "0s").await.expect("the lease is live");
    assert_eq!(spent(), 3, "an extension");
    lock.unlock().await.expect("etcd answers");
    assert_eq!(spent(), 2, "a release");
    let kept = LockConfiguration::new("a", "10m").and_then(|it| it.with_at_least("5m"));
    let lock = node
        .try_lock(kept.expect("legal"))
        .await
        .expect("etcd answers");
    assert_eq!(spent(), 3, "an acquisition");
    lock.expect("it is free")
        .unlock()
        .await
        .expect("etcd answers");
    assert_eq!(spent(), 3, "a release that keeps the lock");
}
