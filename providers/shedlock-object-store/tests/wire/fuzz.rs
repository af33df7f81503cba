//! Nodes on the JVM and nodes of ours, all at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use shedlock_object_store::{ObjectStoreLockProvider, Protocol};
use shedlock_runtime::LockProviderExt as _;
use shedlock_testkit::requests::in_time;
use shedlock_testkit::server_or_skip;
use tokio::time::sleep;

use crate::peer::Peer;
use crate::place::Place;
use crate::{JOB, MINUTE, config};

/// Four nodes of ours and four of the JVM's, and one lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_two_runs_of_a_mixed_fleet_overlap() {
    mixed(Place::in_stand_in(Protocol::S3).await, 2_000).await;
}

/// A server that takes up to a second for a write with rivals.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_two_runs_of_a_mixed_fleet_overlap_in_a_real_store() {
    mixed(server_or_skip!(Place::s3().await), 100).await;
}

async fn mixed(place: Place, most: usize) {
    let place = Arc::new(place);
    let (running, runs) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
    let each = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let contenders = (0..8).map(|number| {
        let (place, running, runs, each) = (
            Arc::clone(&place),
            Arc::clone(&running),
            Arc::clone(&runs),
            Arc::clone(&each),
        );
        tokio::spawn(async move {
            let bucket = place.client_at(place.address());
            let provider = ObjectStoreLockProvider::new(bucket);
            let is_ours = number % 2 == 0;
            // A store that takes long for a write with rivals lets one side win for a while.
            let wins = |side: &AtomicUsize| side.load(Ordering::SeqCst) > most / 20;
            while runs.load(Ordering::SeqCst) < most || !each.iter().all(wins) {
                let (mut ours, mut theirs) = (None, None);
                if is_ours {
                    ours = match provider.try_lock(config("1m")).await {
                        Ok(taken) => taken,
                        Err(error) if error.is_transient() => None,
                        Err(error) => panic!("{error:?}"),
                    };
                } else {
                    theirs = Peer::try_lock(&place, JOB, MINUTE, Duration::ZERO).await;
                }
                let pause = || sleep(Duration::from_millis(fastrand::u64(1..30)));
                if ours.is_none() && theirs.is_none() {
                    pause().await;
                    continue;
                }
                let before = running.fetch_add(1, Ordering::SeqCst);
                assert_eq!(before, 0, "two runs overlapped");
                tokio::task::yield_now().await;
                running.fetch_sub(1, Ordering::SeqCst);
                runs.fetch_add(1, Ordering::SeqCst);
                each[usize::from(is_ours)].fetch_add(1, Ordering::SeqCst);
                if let Some(lock) = ours {
                    lock.unlock().await.expect("the store answers");
                }
                if let Some(peer) = theirs {
                    assert!(peer.unlock().await, "nobody else changes a held record");
                }
                pause().await;
            }
        })
    });
    for contender in contenders.collect::<Vec<_>>() {
        in_time(contender).await.expect("no overlap");
    }
}
