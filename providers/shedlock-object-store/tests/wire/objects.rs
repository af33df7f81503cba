//! What an object of a lock is made of, and objects that are no locks.

use std::time::{Duration, SystemTime};

use shedlock_object_store::object_store::PutMode;
use shedlock_runtime::{
    ErrorKind, LockAdmin as _, LockError, LockProviderExt as _, parse_timestamp,
};
use shedlock_testkit::server_or_skip;
use tokio::time::sleep;

use crate::peer::Peer;
use crate::place::Place;
use crate::{JOB, MINUTE, config, in_a, instant, try_lock};

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
