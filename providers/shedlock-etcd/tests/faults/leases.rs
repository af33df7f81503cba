//! No lease of etcd is left behind.

use std::time::Duration;

use shedlock_runtime::{LockConfiguration, LockProvider as _, LockProviderExt as _};
use shedlock_testkit::requests::{request, taken};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Etcd;

use super::{config, must_have_no_leases, node};

/// A refused acquisition asks for no lease, or gives it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_refusals_leave_none() {
    const AT_ONCE: usize = 20;
    let server = server_or_skip!(Etcd::start().await);
    let nodes: Vec<_> = (0..4).map(|_| node(&server.url())).collect();
    let ask = async |rounds: usize, holds: bool| {
        let asking = (0..AT_ONCE).map(|number| {
            let node = nodes[number % nodes.len()].clone();
            tokio::spawn(async move {
                let mut refused = 0;
                for _ in 0..rounds {
                    match node.try_lock(config()).await.expect("etcd answers") {
                        // Those who race for a free lock are refused with a lease in their hands.
                        Some(lock) if holds => {
                            lock.unlock().await.expect("etcd answers");
                        }
                        Some(_) => panic!("the lock is held"),
                        None => refused += 1,
                    }
                }
                refused
            })
        });
        let mut refused = 0;
        for each in asking.collect::<Vec<_>>() {
            refused += each.await.expect("no panic");
        }
        refused
    };
    let lock = taken(&nodes[0], "a").await;
    assert_eq!(ask(500, false).await, 10_000);
    assert_eq!(server.leases().await.len(), 1, "the holder's");
    lock.unlock().await.expect("etcd answers");
    assert!(ask(50, true).await > 0, "nobody raced");
    assert_eq!(server.leases().await, [""; 0]);
}

/// Calls that are dropped at any moment: the runtime gives back what they may have taken, and the lease without a lock as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_calls_leave_none() {
    let server = server_or_skip!(Etcd::start().await);
    let node = node(&server.url());
    for number in 0..150_u64 {
        let limit = Duration::from_micros(number * 40);
        let name = format!("cancelled-{number}");
        let config = LockConfiguration::new(&name, "10m").expect("a legal configuration");
        let cut = tokio::time::timeout(limit, async {
            let mut lock = node
                .try_lock(config)
                .await
                .expect("etcd answers")
                .expect("it is free");
            lock.extend("10m", "0s").await.expect("the lease is live");
            lock.unlock().await.expect("etcd answers");
        });
        let _either = cut.await;
    }
    must_have_no_leases(&server).await;
}

/// Without the runtime nobody cleans up: a lease that was granted to a call that was dropped ends by itself.
#[tokio::test]
async fn the_lease_of_a_dropped_request_ends_by_itself() {
    let server = server_or_skip!(Etcd::start().await);
    let node = node(&server.url());
    let config = LockConfiguration::new("a", "2s").expect("a legal configuration");
    let mut granted = 0;
    for number in 0..40_u64 {
        let request = request(&node, config.clone());
        let limit = Duration::from_micros(number * 100);
        let _either = tokio::time::timeout(limit, node.acquire(&request)).await;
        granted = granted.max(server.leases().await.len());
    }
    assert!(granted > 0, "no call came as far as to a lease");
    must_have_no_leases(&server).await;
}

/// An operator's verbs end the lease of the holder that they overrule.
#[tokio::test]
async fn operators_leave_none() {
    use shedlock_runtime::LockAdmin as _;
    let server = server_or_skip!(Etcd::start().await);
    let node = node(&server.url());
    let lock = taken(&node, "a").await;
    assert!(
        node.force_release("a", "its node is gone")
            .await
            .expect("etcd answers")
    );
    assert_eq!(server.leases().await, [""; 0]);
    drop(lock);
    let _lock = taken(&node, "a").await;
    let until = std::time::SystemTime::now() + Duration::from_secs(600);
    node.pause("a", until, "upkeep")
        .await
        .expect("etcd answers");
    node.pause("a", until, "more upkeep")
        .await
        .expect("etcd answers");
    assert_eq!(server.leases().await.len(), 1, "the pause's");
    assert!(node.resume("a").await.expect("etcd answers"));
    must_have_no_leases(&server).await;
}
