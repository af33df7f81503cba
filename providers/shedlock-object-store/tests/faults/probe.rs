//! What the check of a store finds.

use std::time::{Duration, SystemTime};

use shedlock_object_store::{ObjectStoreLockProvider, ObjectStoreLockProviderBuilder};
use shedlock_runtime::testing::ManualClock;
use shedlock_runtime::{ErrorKind, LockAdmin as _};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::S3Proxy;

use crate::place::Place;

/// The check of `connect` writes and deletes one object.
#[tokio::test]
async fn a_store_that_keeps_conditions_is_taken_and_left_as_it_was() {
    let places = [
        server_or_skip!(Place::s3().await),
        server_or_skip!(Place::azure().await),
        Place::gcs().await,
    ];
    for place in places {
        let provider = place.builder().connect().await.expect("keeps conditions");
        assert_eq!(provider.list().await.expect("the store answers"), []);
        let probes = place.raw().list_with_delimiter(None).await.expect("lists");
        assert!(probes.objects.is_empty(), "{probes:?}");
    }
}

/// A store for which every write succeeds grants each lock to everybody.
#[tokio::test]
async fn a_store_that_ignores_conditions_is_refused() {
    let server = server_or_skip!(S3Proxy::start().await);
    let url = format!(
        "s3://locks?endpoint={}&allow_http=true&access_key_id=any&secret_access_key=any",
        server.url()
    );
    let error = ObjectStoreLockProvider::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    let text = error.to_string();
    for part in [
        "protocol of S3",
        "creates an object that exists",
        "If-None-Match",
    ] {
        assert!(text.contains(part), "{text}");
    }
    // With a client of the user's, the check is the user's to make.
    let provider = ObjectStoreLockProvider::builder_from_url(&url)
        .build()
        .expect("valid");
    let error = provider.check_store().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(provider.list().await.expect("the store answers"), []);
}

#[tokio::test]
async fn clocks_that_differ_are_told() {
    let place = server_or_skip!(Place::s3().await);
    let with = |clock: ManualClock| -> ObjectStoreLockProviderBuilder {
        place.builder().time_source(clock)
    };
    let hour = Duration::from_secs(60 * 60);
    let now = SystemTime::now();
    for (clock, warning) in [(now + hour, "ahead of"), (now - hour, "behind")] {
        let provider = with(ManualClock::at(clock)).build().expect("valid");
        let report = provider.check_store().await.expect("keeps conditions");
        assert!(report.to_string().contains(warning), "{report}");
    }
    let report = place
        .provider()
        .check_store()
        .await
        .expect("keeps conditions");
    assert_eq!(report.warnings, [""; 0]);
}
