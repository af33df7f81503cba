//! Contenders of both sides for one lock, all at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shedlock_etcd::EtcdLockProvider;
use shedlock_runtime::{LockConfiguration, LockProviderExt as _, Ownership};
use shedlock_testkit::server_or_skip;

use super::place::{Jvm, Place};

/// Four of ours and four of theirs on one lock: nobody is ever in twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_contenders_never_overlap() {
    const WANTED: usize = 1_000;
    let place = Arc::new(server_or_skip!(Place::new().await));
    let inside = Arc::new(AtomicUsize::new(0));
    let ours = Arc::new(AtomicUsize::new(0));
    let theirs = Arc::new(AtomicUsize::new(0));
    let contenders = (0..8).map(|number| {
        let (place, inside) = (Arc::clone(&place), Arc::clone(&inside));
        let (ours, theirs) = (Arc::clone(&ours), Arc::clone(&theirs));
        let own_node = EtcdLockProvider::builder_from_url(&place.server.url());
        let own_node = own_node.build().expect("a valid URL");
        tokio::spawn(async move {
            let body = async || {
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                tokio::task::yield_now().await;
                inside.fetch_sub(1, Ordering::SeqCst);
            };
            while ours.load(Ordering::Relaxed) + theirs.load(Ordering::Relaxed) < WANTED {
                if number % 2 == 0 {
                    let config = LockConfiguration::new("fuzz", "10m").expect("legal");
                    let lock = own_node.try_lock(config).await.expect("etcd answers");
                    if let Some(mut lock) = lock {
                        body().await;
                        if ours.fetch_add(1, Ordering::Relaxed) % 7 == 0 {
                            lock.extend("10m", "0s").await.expect("the lease is live");
                            body().await;
                        }
                        assert_eq!(lock.unlock().await.expect("etcd answers"), Ownership::Ours);
                    }
                } else if let Some(jvm) = Jvm::lock(&place.client, "fuzz", 600).await {
                    body().await;
                    theirs.fetch_add(1, Ordering::Relaxed);
                    jvm.unlock().await.expect("its lease is there");
                }
            }
        })
    });
    for contender in contenders.collect::<Vec<_>>() {
        contender.await.expect("nobody overlaps");
    }
    let (ours, theirs) = (ours.load(Ordering::Relaxed), theirs.load(Ordering::Relaxed));
    assert!(
        ours > 100 && theirs > 100,
        "{ours} and {theirs}: one side never had a chance"
    );
    assert_eq!(place.server.leases().await, [""; 0]);
}
