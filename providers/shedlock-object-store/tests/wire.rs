//! What lies in the bucket is what JVM nodes write and read, and both sides honour each other's locks.

#[path = "support/peer.rs"]
mod peer;
#[path = "support/place.rs"]
mod place;
#[path = "support/stand_in.rs"]
mod stand_in;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use shedlock_object_store::object_store::PutMode;
use shedlock_object_store::{ObjectStoreLockProvider, Protocol};
use shedlock_runtime::{
    ErrorKind, Lock, LockAdmin as _, LockConfiguration, LockError, LockProviderExt as _,
    parse_timestamp,
};
use shedlock_testkit::server_or_skip;
use tokio::time::sleep;

use peer::Peer;
use place::{Place, in_a, instant};

const JOB: &str = "nightly_report";
const MINUTE: Duration = Duration::from_secs(60);

fn config(at_most: &str) -> LockConfiguration {
    LockConfiguration::new(JOB, at_most).expect("a legal configuration")
}

async fn try_lock(provider: &ObjectStoreLockProvider, config: LockConfiguration) -> Option<Lock> {
    provider.try_lock(config).await.expect("the store answers")
}

fn seconds_from(start: SystemTime, text: &str) -> f64 {
    let time = parse_timestamp(text).expect("a time");
    let since = time.duration_since(start - MINUTE).expect("not before");
    since.as_secs_f64() - 60.0
}

#[tokio::test]
async fn an_object_in_s3_is_a_jvm_nodes_with_more_metadata() {
    let place = server_or_skip!(Place::s3().await);
    let provider = place.builder().node_name("web-ü 1").build().expect("valid");
    let before = SystemTime::now();
    let lock = try_lock(&provider, config("1m")).await.expect("is free");

    let held = place.get(JOB).await.expect("an object");
    assert_eq!(held.body.len(), 16);
    let names: Vec<_> = held.metadata.iter().map(|(name, _)| &**name).collect();
    assert_eq!(
        names,
        ["fencing-token", "lock-until", "locked-at", "locked-by"]
    );
    let lasts = seconds_from(before, held.text("lock-until").expect("an end"));
    assert!((60.0..80.0).contains(&lasts), "{lasts}");
    let at = seconds_from(before, held.text("locked-at").expect("a start"));
    assert!((-0.01..20.0).contains(&at), "{at}");
    let owner = held.text("locked-by").expect("an owner");
    assert!(owner.starts_with("web-%C3%BC%201#"), "{owner}");
    let token = held.text("fencing-token").expect("a token").parse().ok();
    assert_eq!(lock.fencing_token(), token);

    lock.unlock().await.expect("the store answers");
    let freed = place.get(JOB).await.expect("free records stay");
    let end = parse_timestamp(freed.text("lock-until").expect("an end"));
    assert!(end.expect("a time") <= SystemTime::now());
    assert!(
        freed
            .text("locked-by")
            .expect("an owner")
            .starts_with(owner)
    );
    assert_ne!(freed.body, held.body, "the content makes the ETag");
    assert_ne!(freed.version, held.version);
}

#[tokio::test]
async fn an_object_in_the_other_stores_has_metadata_without_hyphens() {
    let azure = server_or_skip!(Place::azure().await);
    for (place, names) in [
        (
            azure,
            ["fencingtoken", "lockedat", "lockedby", "lockuntil"].as_slice(),
        ),
        (
            Place::gcs().await,
            [
                "fencingtoken",
                "lockedat",
                "lockedby",
                "lockname",
                "lockuntil",
            ]
            .as_slice(),
        ),
    ] {
        let provider = place.provider();
        let lock = try_lock(&provider, config("1m")).await.expect("is free");
        let held = place.get(JOB).await.expect("an object");
        let found: Vec<_> = held.metadata.iter().map(|(name, _)| &**name).collect();
        assert_eq!(found, names);
        lock.unlock().await.expect("the store answers");
    }
}

/// A node on the JVM writes camel case, which headers do not keep.
#[tokio::test]
async fn a_record_of_a_jvm_node_in_google_cloud_storage_is_read() {
    let place = Place::gcs().await;
    let provider = place.provider();
    let [until, at] = [in_a(MINUTE), SystemTime::now()].map(instant);
    let record = [
        ("lockUntil", until),
        ("lockedAt", at),
        ("lockedBy", "jvm-host".to_owned()),
        ("lockName", JOB.to_owned()),
    ];
    assert!(place.put(JOB, b"_lock", &record, PutMode::Create).await);
    assert!(try_lock(&provider, config("1m")).await.is_none());
    let held = provider.get(JOB).await.expect("the store answers");
    let held = held.expect("a record");
    assert!(held.is_held() && held.problem.is_none(), "{held:?}");
    assert_eq!(held.node, "jvm-host");
}

#[tokio::test]
async fn a_jvm_peer_skips_while_rust_holds_and_takes_over_afterwards() {
    let place = server_or_skip!(Place::s3().await);
    let provider = place.provider();
    let lock = try_lock(&provider, config("1m")).await.expect("is free");
    assert!(
        Peer::try_lock(&place, JOB, MINUTE, Duration::ZERO)
            .await
            .is_none()
    );
    lock.unlock().await.expect("the store answers");
    let peer = Peer::try_lock(&place, JOB, MINUTE, Duration::ZERO).await;
    assert!(try_lock(&provider, config("1m")).await.is_none());
    assert!(peer.expect("was released").unlock().await);

    // A lease that ended without a release.
    let lock = try_lock(&provider, config("300ms")).await.expect("is free");
    sleep(Duration::from_millis(400)).await;
    let peer = Peer::try_lock(&place, JOB, MINUTE, Duration::ZERO).await;
    assert!(peer.is_some());
    let taken = place.get(JOB).await;
    drop(lock.unlock().await);
    assert_eq!(place.get(JOB).await, taken, "the lease is the peer's");
    assert!(try_lock(&provider, config("1m")).await.is_none());
}

#[tokio::test]
async fn rust_skips_while_a_jvm_peer_holds_and_takes_over_afterwards() {
    let place = server_or_skip!(Place::s3().await);
    let provider = place.provider();
    let peer = Peer::try_lock(&place, JOB, MINUTE, Duration::ZERO).await;
    assert!(try_lock(&provider, config("1m")).await.is_none());
    let held = provider
        .get(JOB)
        .await
        .expect("the store answers")
        .expect("a record");
    assert!(held.is_held() && held.problem.is_none(), "{held:?}");
    assert_eq!(held.node, "jvm-host");
    assert!(peer.expect("is free").unlock().await);
    let lock = try_lock(&provider, config("1m"))
        .await
        .expect("was released");
    let token = lock.fencing_token().expect("a token");
    lock.unlock().await.expect("the store answers");

    // A lease that ended without a release.
    let peer = Peer::try_lock(&place, JOB, Duration::from_millis(300), Duration::ZERO).await;
    let mut peer = peer.expect("is free");
    sleep(Duration::from_millis(400)).await;
    let lock = try_lock(&provider, config("1m")).await.expect("has ended");
    assert!(
        lock.fencing_token() > Some(token),
        "the peer's record has no token"
    );
    // The late extension compares the host.
    assert!(!peer.extend(MINUTE).await);
    assert!(lock.is_held());
    assert!(
        Peer::try_lock(&place, JOB, MINUTE, Duration::ZERO)
            .await
            .is_none()
    );
}

#[tokio::test]
async fn both_honour_the_others_at_least() {
    let place = server_or_skip!(Place::s3().await);
    let provider = place.provider();
    let kept = Duration::from_secs(4);
    let asked = Instant::now();
    let peer = Peer::try_lock(&place, JOB, MINUTE, kept)
        .await
        .expect("is free");
    assert!(peer.unlock().await);
    assert!(try_lock(&provider, config("1m")).await.is_none());
    assert!(
        asked.elapsed() < kept,
        "the store is too slow for this test"
    );
    sleep(kept).await;

    let config = config("1m").with_at_least("4s").expect("legal");
    let asked = Instant::now();
    let lock = try_lock(&provider, config)
        .await
        .expect("at least has ended");
    lock.unlock().await.expect("the store answers");
    assert!(
        Peer::try_lock(&place, JOB, MINUTE, Duration::ZERO)
            .await
            .is_none()
    );
    assert!(
        asked.elapsed() < kept,
        "the store is too slow for this test"
    );
    sleep(kept).await;
    assert!(
        Peer::try_lock(&place, JOB, MINUTE, Duration::ZERO)
            .await
            .is_some()
    );
}

#[tokio::test]
async fn a_peers_extension_is_seen() {
    let place = server_or_skip!(Place::s3().await);
    let provider = place.provider();
    let peer = Peer::try_lock(&place, JOB, Duration::from_secs(4), Duration::ZERO).await;
    assert!(peer.expect("is free").extend(MINUTE).await);
    sleep(Duration::from_secs(4)).await;
    assert!(try_lock(&provider, config("1m")).await.is_none());
}

/// The limit that the README tells: a JVM node that unlocks late asks for no owner.
#[tokio::test]
async fn a_late_jvm_release_frees_the_next_holder_who_is_told() {
    let place = server_or_skip!(Place::s3().await);
    let provider = place.provider();
    let peer = Peer::try_lock(&place, JOB, Duration::from_millis(300), Duration::ZERO).await;
    sleep(Duration::from_millis(400)).await;
    let mut lock = try_lock(&provider, config("1m")).await.expect("has ended");
    assert!(peer.expect("is free").unlock().await);
    let error = lock.extend("1m", Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Lost, "{error:?}");
}

#[tokio::test]
async fn what_is_no_lock_is_told_and_left_alone() {
    let place = server_or_skip!(Place::s3().await);
    let provider = place.provider();
    let soon = [("lock-until", "soon".to_owned())];
    let misplaced = [
        ("lock-until", instant(SystemTime::now())),
        ("position", "third".to_owned()),
    ];
    let long = vec![0; 100_000];
    for (body, metadata, problem) in [
        (
            b"cache entry".as_slice(),
            [].as_slice(),
            "has no metadata `lock-until`",
        ),
        (b"", &[], "has no metadata `lock-until`"),
        (&long, &[], "has no metadata `lock-until`"),
        (b"_lock", &soon, "has a `lock-until` that is no time"),
        (b"_lock", &misplaced, "has a `position` that is no position"),
    ] {
        assert!(place.put(JOB, body, metadata, PutMode::Overwrite).await);
        let before = place.get(JOB).await;
        let error: LockError = provider.try_lock(config("1m")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Schema);
        assert!(error.to_string().contains(problem), "{error}");
        let listed = provider.list().await.expect("the store answers");
        assert_eq!(listed.len(), 1);
        assert!(listed[0].problem.is_some(), "{listed:?}");
        let pruned = provider.prune(Duration::ZERO).await;
        assert_eq!(pruned.expect("the store answers"), 0);
        assert_eq!(place.get(JOB).await, before);
    }
}

/// An object without an end of a lease for ever would stop a job for ever, so an end far away is told as held, and can be forced.
#[tokio::test]
async fn an_end_that_never_comes_can_be_forced() {
    let place = server_or_skip!(Place::s3().await);
    let provider = place.provider();
    let never = [("lock-until", "9999-12-31T23:59:59.999Z".to_owned())];
    assert!(place.put(JOB, b"", &never, PutMode::Create).await);
    assert!(try_lock(&provider, config("1m")).await.is_none());
    let forced = provider.force_release(JOB, "its node is gone").await;
    assert!(forced.expect("the store answers"));
    assert!(try_lock(&provider, config("1m")).await.is_some());
}

/// Pruning leaves an object, because no deletion can be made on condition of what is deleted.
#[tokio::test]
async fn what_is_pruned_is_free_to_jvm_nodes_and_no_record_to_ours() {
    let place = server_or_skip!(Place::s3().await);
    let provider = place.provider();
    let lock = try_lock(&provider, config("1m")).await.expect("is free");
    let token = lock.fencing_token();
    lock.unlock().await.expect("the store answers");
    sleep(Duration::from_millis(5)).await;
    let pruned = provider.prune(Duration::ZERO).await;
    assert_eq!(pruned.expect("the store answers"), 1);
    let left = place.get(JOB).await.expect("an object");
    assert_eq!(left.text("lock-until"), Some("1970-01-01T00:00:00.000Z"));
    assert_eq!(provider.list().await.expect("the store answers"), []);
    assert_eq!(
        provider
            .prune(Duration::ZERO)
            .await
            .expect("the store answers"),
        0
    );

    let peer = Peer::try_lock(&place, JOB, MINUTE, Duration::ZERO).await;
    assert!(peer.expect("is free").unlock().await);
    let lock = try_lock(&provider, config("1m"))
        .await
        .expect("was released");
    assert!(lock.fencing_token() > token);
}

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
            while runs.load(Ordering::SeqCst) < most {
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
                if ours.is_none() && theirs.is_none() {
                    sleep(Duration::from_millis(fastrand::u64(1..30))).await;
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
            }
        })
    });
    for contender in contenders.collect::<Vec<_>>() {
        contender.await.expect("no overlap");
    }
    let each = [&each[0], &each[1]].map(|count| count.load(Ordering::SeqCst));
    assert!(each.iter().all(|count| *count > most / 20), "{each:?}");
}
