//! What happens to documents, collections and servers that are not as a lock needs them.

use std::time::{Duration, SystemTime};

use mongodb::IndexModel;
use mongodb::bson::{Bson, DateTime, doc};
use mongodb::options::IndexOptions;
use shedlock_mongodb::{MongoLockProvider, mongodb};
use shedlock_runtime::{
    ErrorKind, Expiry, Fencing, LockAdmin as _, LockProvider as _, LockProviderExt as _,
};
use shedlock_testkit::requests::{is_free, problem, taken};
use shedlock_testkit::server_or_skip;

use super::place::{BOTH, Deciding, Place};
use super::{JOB, config, places};

#[tokio::test]
async fn what_others_keep_under_our_names_is_left_alone() {
    for place in places!() {
        let node = place.node();
        let date = DateTime::from_millis(1);
        let soon = SystemTime::now() + Duration::from_secs(60);
        for foreign in [
            doc! { "_id": JOB, "precious": true },
            doc! { "_id": JOB, "lockUntil": "2026-11-28T10:41:11.355Z", "lockedBy": "app" },
            doc! { "_id": JOB, "lockUntil": 1, "lockedAt": 1, "lockedBy": "app" },
            doc! { "_id": JOB, "lockUntil": date, "lockedBy": 7 },
            // A lease without an end.
            doc! { "_id": JOB, "lockUntil": Bson::Null, "lockedAt": date, "lockedBy": "app" },
        ] {
            place.put(foreign.clone()).await;
            let error = problem(&node, JOB).await;
            assert_eq!(error.kind(), ErrorKind::Schema, "{foreign}: {error:?}");
            let listed = node.list().await.expect("the server answers");
            assert!(
                matches!(&listed[..], [one] if one.name == JOB && one.problem.is_some()),
                "{foreign}: {listed:?}"
            );
            let forced = node.force_release(JOB, "").await;
            let forced = forced.expect_err("it is no lock");
            assert_eq!(forced.kind(), ErrorKind::Schema, "{foreign}: {forced:?}");
            let paused = node.pause(JOB, soon, "").await;
            assert!(paused.is_err(), "{foreign}");
            assert_eq!(node.prune(Duration::ZERO).await.expect("an answer"), 0);
            assert_eq!(place.get(JOB).await, Some(foreign));
            place.delete(JOB).await;
        }
    }
}

#[tokio::test]
async fn a_document_that_becomes_foreign_under_a_held_lock_is_left_alone() {
    for place in places!() {
        let node = place.node();
        let lock = taken(&node, JOB).await;
        place.delete(JOB).await;
        let foreign = doc! { "_id": JOB, "precious": true };
        place.put(foreign.clone()).await;
        // Whatever it says, it is no "released".
        let _either = lock.unlock().await;
        assert_eq!(place.get(JOB).await, Some(foreign));
    }
}

#[tokio::test]
async fn a_server_without_pipelines_says_which_option_helps() {
    let place = server_or_skip!(Place::new(Deciding::Client).await);
    let node = MongoLockProvider::builder_from_url(&place.url()).build();
    let node = node.expect("valid");
    assert_eq!(node.info().capabilities().expiry(), Expiry::ByStoreClock);
    let error = problem(&node, JOB).await;
    // This server answers with an exception of Java, which the driver cannot read. Others answer with a code.
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error:?}");
    let remedy = error.remedy().expect("there is an option");
    assert!(remedy.contains("client_clock()"), "{remedy}");
    assert_eq!(place.get(JOB).await, None);

    let node = place.node();
    let capabilities = node.info().capabilities();
    assert_eq!(capabilities.expiry(), Expiry::ByClientClock);
    assert_eq!(capabilities.fencing(), Fencing::UntilDeletion);
    assert!(is_free(&node, JOB).await);
}

#[tokio::test]
async fn the_index_that_forgets_is_made_once_and_never_changed() {
    for place in places!() {
        let quarter = Duration::from_secs(90 * 24 * 60 * 60);
        let with = |after| {
            let builder = place.builder_at(&place.url()).with_ttl_index(after);
            builder.build().expect("valid")
        };
        place.node().ensure_indexes().await.expect("nothing to do");
        assert!(place.get(JOB).await.is_none());
        let node = with(quarter);
        for _ in 0..2 {
            node.ensure_indexes().await.expect("can be made");
        }
        let indexes = place.locks().list_indexes().await.expect("an answer");
        let indexes: Vec<IndexModel> = futures_util::TryStreamExt::try_collect(indexes)
            .await
            .expect("an answer");
        let of_ends = |index: &&IndexModel| index.keys == doc! { "lockUntil": 1 };
        let found = indexes.iter().find(of_ends).expect("was made");
        let options: &IndexOptions = found.options.as_ref().expect("has options");
        assert_eq!(options.expire_after, Some(quarter));
        assert!(is_free(&node, JOB).await);
    }
}

#[tokio::test]
async fn urls_are_refused_at_once_and_servers_when_they_are_needed() {
    for deciding in BOTH {
        let place = server_or_skip!(Place::new(deciding).await);
        let connected = place.builder_at(&place.url()).connect().await;
        assert!(is_free(&connected.expect("the server is there"), JOB).await);
    }
    let nowhere = "mongodb://u:s3cret@127.0.0.1:1/app?directConnection=true";
    let error = MongoLockProvider::connect(nowhere).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    let whole = format!("{error:?} {error}");
    assert!(!whole.contains("s3cret"), "{whole}");
    let later = MongoLockProvider::builder_from_url(nowhere).build();
    let later = later.expect("no server is needed yet");
    assert!(later.try_lock(config()).await.is_err());
    assert!(!format!("{later:?}").contains("s3cret"), "{later:?}");
}

#[tokio::test]
async fn a_plain_collection_passes_the_check() {
    for place in places!() {
        let node = place.node();
        node.check_schema().await.expect("there is none yet");
        assert!(is_free(&node, JOB).await);
        node.check_schema().await.expect("is plain");
    }
}
