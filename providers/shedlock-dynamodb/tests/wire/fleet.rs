//! Many nodes at once: of both kinds, and of ours alone in races for one moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use shedlock_runtime::{LockConfiguration, LockProviderExt as _, SkipReason};
use shedlock_testkit::requests::is_free;
use tokio::sync::Barrier;

use super::jvm::Jvm;
use super::place::{Place, item, text};
use super::{HOST, config};

/// The tests of many nodes, on each server.
macro_rules! fleets {
    ($($server:ident $which:ident $acquisitions:literal $rounds:literal;)*) => {$(
        mod $server {
            use shedlock_testkit::server_or_skip;

            use crate::place::{Place, Which};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_mixed_fleet_never_overlaps() {
                let place = server_or_skip!(Place::alone(Which::$which).await);
                super::mixed_fleet(&place, $acquisitions).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn one_of_twenty_wins_each_race() {
                let place = server_or_skip!(Place::alone(Which::$which).await);
                super::races(&place, $rounds).await;
            }
        }
    )*};
}

// Dynalite is slow.
fleets! {
    dynoxide Dynoxide 2_000 40;
    dynalite Dynalite 500 40;
}

#[derive(Default)]
struct Seen {
    inside: AtomicU32,
    unanswered: AtomicU32,
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

/// Whoever is refused comes again a moment later.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(20..60))).await;
}

const FUZZ_LIMIT: Duration = Duration::from_mins(4);

/// Four nodes of each kind take one lock in turn, again and again.
async fn mixed_fleet(place: &Place, acquisitions: u32) {
    let (seen, began) = (Arc::new(Seen::default()), Instant::now());
    let is_over = move |seen: &Seen| seen.total() >= acquisitions || began.elapsed() > FUZZ_LIMIT;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let (place, seen) = (place.clone(), Arc::clone(&seen));
        let node = place.node();
        tasks.push(tokio::spawn(async move {
            while !is_over(&seen) {
                let unanswered = match node.try_lock(config("20s")).await {
                    Ok(Some(lock)) => {
                        seen.enter(&seen.by_rust).await;
                        lock.unlock().await.err()
                    }
                    Ok(None) => {
                        pause().await;
                        None
                    }
                    Err(error) => Some(error),
                };
                if let Some(error) = unanswered {
                    assert!(error.is_transient(), "{error:?}");
                    seen.unanswered.fetch_add(1, Ordering::SeqCst);
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
                } else {
                    pause().await;
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
        "{}",
        place.server.endpoint()
    );
    assert!(
        seen.total() >= acquisitions,
        "{} in {:?}",
        seen.total(),
        began.elapsed()
    );
    let unanswered = seen.unanswered.load(Ordering::SeqCst);
    assert!(
        unanswered * 20 <= acquisitions,
        "{unanswered} went unanswered"
    );
    for (who, count) in [("Rust", &seen.by_rust), ("JVM", &seen.by_jvm)] {
        assert!(
            count.load(Ordering::SeqCst) > acquisitions / 50,
            "{who} hardly ever got the lock"
        );
    }
}

const RACERS: usize = 20;

/// The emulators whose commands are not atomic were found by this race: twenty at once, for a new lock and for an expired one.
async fn races(place: &Place, rounds: u32) {
    let nodes: Vec<_> = (0..4).map(|_| place.node()).collect();
    // A server that has answered nothing yet answers twenty at once too late.
    for node in nodes.iter().cycle().take(40) {
        assert!(is_free(node, "warm").await);
    }
    for round in 0..rounds {
        for expired in [false, true] {
            let name = format!("race-{round}-{expired}");
            if expired {
                let end = text("1970-01-01T00:00:01.000Z");
                let ended = item([
                    ("_id", text(&name)),
                    ("lockUntil", end.clone()),
                    ("lockedAt", end),
                    ("lockedBy", text(HOST)),
                ]);
                place.put(ended).await;
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
            assert_eq!(winners.len(), 1, "{name}, {}", place.server.endpoint());
        }
    }
}
