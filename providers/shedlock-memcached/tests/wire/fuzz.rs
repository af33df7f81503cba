//! Contenders of both sides for one lock, all at once: no two hold it at the same time.

use std::time::{Duration, Instant};

use shedlock_memcached::MemcachedLockProvider;
use shedlock_runtime::{LockConfiguration, LockProviderExt as _, Ownership};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Memcached;

use super::Jvm;

const CONTENDERS_A_SIDE: usize = 4;
/// Acquisitions of each contender.
const EACH: usize = 260;
const LEASE: Duration = Duration::from_secs(60);
/// The lease of a holder that never unlocks. JVM nodes cut it to whole seconds, and the server's clock may be two seconds behind: shorter leases
/// of theirs may end at once.
const ABANDONED: Duration = Duration::from_secs(4);
/// The first contender of each side does not unlock this acquisition.
const ABANDONS: usize = 100;
/// The lock must change sides at least so often; one after the other, the two would not have contended for it.
const LEAST_HANDOVERS: usize = 20;
const NAME: &str = "fuzz";

/// When a contender believed that it held the lock: from the answer until just before its unlock.
#[derive(Debug, Clone, Copy)]
struct Hold {
    side: &'static str,
    begin: Instant,
    end: Instant,
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(..4))).await;
}

/// Works for a moment.
async fn hold(side: &'static str) -> Hold {
    let begin = Instant::now();
    pause().await;
    let end = Instant::now();
    Hold { side, begin, end }
}

async fn ours(node: MemcachedLockProvider, number: usize) -> Vec<Hold> {
    let mut holds = Vec::new();
    while holds.len() < EACH {
        let abandons = (number, holds.len()) == (0, ABANDONS);
        let lease = if abandons { ABANDONED } else { LEASE };
        let config = LockConfiguration::new(NAME, lease).expect("legal");
        if let Some(mut lock) = node.try_lock(config).await.expect("is answered") {
            holds.push(hold("ours").await);
            if abandons {
                lock.release_on_drop(false);
            } else {
                let was = lock.unlock().await.expect("is answered");
                assert_eq!(was, Ownership::Ours);
            }
        }
        pause().await;
    }
    holds
}

async fn theirs(server: Memcached, number: usize) -> Vec<Hold> {
    let mut holds = Vec::new();
    while holds.len() < EACH {
        let abandons = (number, holds.len()) == (0, ABANDONS);
        let lease = if abandons { ABANDONED } else { LEASE };
        if let Some(jvm) = Jvm::lock(&server, NAME, lease).await {
            holds.push(hold("theirs").await);
            if !abandons {
                assert!(jvm.unlock(Duration::ZERO).await, "it was the JVM's");
            }
        }
        pause().await;
    }
    holds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mixed_contenders_never_overlap() {
    let server = server_or_skip!(Memcached::start().await);
    let mut contenders = Vec::new();
    for number in 0..CONTENDERS_A_SIDE {
        let node = MemcachedLockProvider::connect(&server.url()).await;
        let node = node.expect("the server answers");
        contenders.push(tokio::spawn(theirs(server.clone(), number)));
        contenders.push(tokio::spawn(ours(node, number)));
    }
    let mut holds = Vec::new();
    for contender in contenders {
        holds.extend(contender.await.expect("no contender fails"));
    }
    holds.sort_by_key(|hold| hold.begin);
    assert_eq!(holds.len(), 2 * CONTENDERS_A_SIDE * EACH);
    let next_to_each_other = || holds.iter().zip(&holds[1..]);
    let overlaps = next_to_each_other().filter(|(one, next)| next.begin < one.end);
    assert_eq!(overlaps.count(), 0, "{holds:?}");
    let handovers = next_to_each_other().filter(|(one, next)| one.side != next.side);
    assert!(handovers.count() >= LEAST_HANDOVERS, "{holds:?}");
}
