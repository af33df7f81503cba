//! Answers of the store that refuse a request, buckets that are gone, and objects that are no locks.

use std::sync::Arc;
use std::time::Duration;

use shedlock_object_store::object_store::ObjectStoreExt as _;
use shedlock_object_store::object_store::path::Path;
use shedlock_runtime::{Acquisition, ErrorKind, LockAdmin as _, LockProvider as _};
use shedlock_testkit::requests::{config, problem, request, taken};
use shedlock_testkit::server_or_skip;

use crate::place::{Place, Store};
use crate::stand_in::Gcs;

fn stand_in(place: &Place) -> &Gcs {
    match &place.store {
        Store::Gcs(gcs) => gcs,
        _ => unreachable!("the place is a stand-in"),
    }
}

/// 409 and 412 are conflicts: somebody else may have been quicker, and the record tells whether.
#[tokio::test]
async fn a_conflict_is_no_error_and_no_grant() {
    let place = Place::gcs().await;
    let (gcs, provider) = (stand_in(&place), place.provider());
    gcs.refuse(&[(409, "<Code>ConditionalRequestConflict</Code>"), (412, "")]);
    let lock = taken(&provider, "mail").await;
    gcs.refuse(&[(409, "<Code>OperationAborted</Code>")]);
    lock.unlock().await.expect("the second write is done");
    // Nobody else is seen, so this is not told as "held". A conflict may be with the first copy of the same write.
    gcs.refuse(&[(409, ""); 4]);
    let error = problem(&provider, "mail").await;
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error:?}");
    drop(taken(&provider, "mail").await);
}

#[tokio::test]
async fn a_store_that_is_busy_is_asked_again() {
    let place = Place::gcs().await;
    let (gcs, provider) = (stand_in(&place), place.provider());
    gcs.refuse(&[
        (503, "<Code>SlowDown</Code>"),
        (500, "<Code>InternalError</Code>"),
        (429, ""),
    ]);
    taken(&provider, "mail")
        .await
        .unlock()
        .await
        .expect("the store answers");

    for (status, text) in [
        (503, "<Code>SlowDown</Code>"),
        (507, "<Code>StorageFull</Code>"),
    ] {
        gcs.refuse(&[(status, text); 4]);
        assert_eq!(
            problem(&provider, "mail").await.kind(),
            ErrorKind::Unavailable,
            "{status}"
        );
    }
    gcs.refuse(&[(500, "<Code>InternalError</Code>"); 4]);
    assert_eq!(
        problem(&provider, "mail").await.kind(),
        ErrorKind::Indeterminate
    );
}

#[tokio::test]
async fn a_clock_that_the_store_refuses_is_told_with_both_times() {
    let place = Place::gcs().await;
    let skewed = "<Code>RequestTimeTooSkewed</Code><RequestTime>11:00</RequestTime><ServerTime>10:00</ServerTime>";
    stand_in(&place).refuse(&[(403, skewed)]);
    let error = problem(&place.provider(), "mail").await;
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(
        error.to_string().contains("11:00 here, 10:00 there"),
        "{error}"
    );
}

#[tokio::test]
async fn a_bucket_that_is_deleted_under_a_held_lock_is_told() {
    let place = Place::gcs().await;
    let provider = place.provider();
    let mut lock = taken(&provider, "mail").await;
    place.remove().await;
    let error = lock.extend("20m", Duration::ZERO).await.unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
    assert_eq!(problem(&provider, "mail").await.kind(), ErrorKind::Schema);
    place.make().await;
    drop(taken(&provider, "mail").await);
}

#[tokio::test]
async fn what_lies_beside_the_locks_is_no_lock() {
    let place = server_or_skip!(Place::s3().await);
    for key in ["other/mail", "shedlock/%zz", "shedlock.txt"] {
        let key = Path::parse(key).expect("a key");
        place.raw().put(&key, "text".into()).await.expect("is put");
    }
    let provider = place.provider();
    assert_eq!(provider.list().await.expect("the store answers"), []);
    let other = place.builder().prefix("other/").build().expect("valid");
    let listed = other.list().await.expect("the store answers");
    assert!(listed[0].problem.is_some(), "{listed:?}");
}

/// Contenders on many names at once: each name is granted once, and nobody sees an error.
async fn each_name_is_granted_once(place: Place) {
    const NAMES: usize = 40;
    let place = Arc::new(place);
    let contenders: Vec<_> = (0..20)
        .map(|_| {
            let place = Arc::clone(&place);
            tokio::spawn(async move {
                let (provider, mut won) = (place.provider(), 0);
                for name in 0..NAMES {
                    let request = request(&provider, config(&format!("race-{name}")));
                    let answer = provider.acquire(&request).await;
                    match answer.expect("contention is no error") {
                        Acquisition::Granted(_) => won += 1,
                        Acquisition::Refused(_) => {}
                    }
                }
                won
            })
        })
        .collect();
    let mut won = 0;
    for contender in contenders {
        won += contender.await.expect("no panic");
    }
    assert_eq!(won, NAMES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_name_is_granted_once_in_azure() {
    each_name_is_granted_once(server_or_skip!(Place::azure().await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_name_is_granted_once_in_google_cloud_storage() {
    each_name_is_granted_once(Place::gcs().await).await;
}
