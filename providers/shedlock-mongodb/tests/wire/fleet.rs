//! Many nodes at once: of both kinds, and of ours alone in races for one moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use mongodb::bson::{DateTime, doc};
use shedlock_mongodb::mongodb;
use shedlock_runtime::{LockConfiguration, LockProviderExt as _, SkipReason};
use tokio::sync::Barrier;

use super::jvm::Jvm;
use super::place::Place;
use super::{HOST, config, places, try_lock};

/// Four nodes of each kind take one lock in turn, with short leases that sometimes end by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mixed_fleet_never_overlaps() {
    for place in places!() {
        mixed_fleet(&place).await;
    }
}

#[derive(Default)]
struct Seen {
    inside: AtomicU32,
    overlaps: AtomicU32,
    by_rust: AtomicU32,
    by_jvm: AtomicU32,
}

impl Seen {
    async fn enter(&self, by: &AtomicU32) {
        if self.inside.fetch_add(1, Ordering::SeqCst) > 0 {
            self.overlaps.fetch_add(1, Ordering::SeqCst);
        }
        if fastrand::bool() {
            tokio::task::yield_now().await;
        }
        by.fetch_add(1, Ordering::SeqCst);
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    fn total(&self) -> u32 {
        self.by_rust.load(Ordering::SeqCst) + self.by_jvm.load(Ordering::SeqCst)
    }
}

const ACQUISITIONS: u32 = 2000;
const FUZZ_LIMIT: Duration = Duration::from_secs(240);

async fn mixed_fleet(place: &Place) {
    let (seen, began) = (Arc::new(Seen::default()), Instant::now());
    let is_over = move |seen: &Seen| seen.total() >= ACQUISITIONS || began.elapsed() > FUZZ_LIMIT;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let (place, seen) = (place.clone(), Arc::clone(&seen));
        let node = place.node();
        tasks.push(tokio::spawn(async move {
            while !is_over(&seen) {
                if let Some(lock) = try_lock(&node, config("20s")).await {
                    seen.enter(&seen.by_rust).await;
                    lock.unlock().await.expect("the server answers");
                }
            }
        }));
    }
    for _ in 0..4 {
        let (place, seen) = (place.clone(), Arc::clone(&seen));
        tasks.push(tokio::spawn(async move {
            while !is_over(&seen) {
                let held = Jvm::try_lock(&place, Duration::from_secs(20), Duration::ZERO).await;
                if let Some(peer) = held {
                    seen.enter(&seen.by_jvm).await;
                    peer.unlock().await;
                }
            }
        }));
    }
    for task in tasks {
        task.await.expect("no task panics");
    }
    assert_eq!(
        seen.overlaps.load(Ordering::SeqCst),
        0,
        "{:?}",
        place.deciding
    );
    assert!(
        seen.total() >= ACQUISITIONS,
        "{} in {:?}",
        seen.total(),
        began.elapsed()
    );
    for (who, count) in [("Rust", &seen.by_rust), ("JVM", &seen.by_jvm)] {
        assert!(
            count.load(Ordering::SeqCst) > 20,
            "{who} hardly ever got the lock"
        );
    }
}

const RACERS: usize = 20;
const ROUNDS: u32 = 40;

/// The emulators whose commands are not atomic were found by this race: twenty at once, for a new lock and for an expired one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_twenty_wins_each_race() {
    for place in places!() {
        let nodes: Vec<_> = (0..4).map(|_| place.node()).collect();
        for round in 0..ROUNDS {
            for expired in [false, true] {
                let name = format!("race-{round}-{expired}");
                if expired {
                    let end = DateTime::from_millis(1);
                    place.put(doc! { "_id": &name, "lockUntil": end, "lockedAt": end, "lockedBy": HOST }).await;
                }
                let start = Arc::new(Barrier::new(RACERS));
                let racers = (0..RACERS).map(|number| {
                    let (node, start) = (nodes[number % nodes.len()].clone(), Arc::clone(&start));
                    let config = LockConfiguration::new(&*name, "5m").expect("legal");
                    tokio::spawn(async move {
                        start.wait().await;
                        node.lock(config).await.expect("the server answers")
                    })
                });
                let racers: Vec<_> = racers.collect();
                let mut winners = Vec::new();
                for racer in racers {
                    match racer.await.expect("no task panics") {
                        Ok(lock) => winners.push(lock),
                        Err(refusal) => assert!(
                            matches!(refusal.reason, SkipReason::Held | SkipReason::Contended),
                            "{refusal:?}"
                        ),
                    }
                }
                assert_eq!(winners.len(), 1, "{name}, {:?}", place.deciding);
            }
        }
    }
}
