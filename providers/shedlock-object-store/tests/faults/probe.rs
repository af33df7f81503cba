//! What the check of a store finds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use shedlock_object_store::{ObjectStoreLockProvider, ObjectStoreLockProviderBuilder};
use shedlock_runtime::testing::ManualClock;
use shedlock_runtime::{ErrorKind, LockAdmin as _};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::S3Proxy;

use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::place::Place;

/// The lines of the log that this thread has written.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &tracing::Event<'_>, _context: Context<'_, S>) {
        struct Line(String);
        impl Visit for Line {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                self.0 = format!("{} {field}={value:?}", self.0);
            }
        }
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line.0);
    }
}

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
    let log = Log::default();
    let subscriber = tracing_subscriber::registry().with(log.clone());
    let _listening = tracing::subscriber::set_default(subscriber);
    let warnings = || {
        let lines = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ours = |line: &String| line.contains("store.clock");
        lines.into_iter().filter(ours).collect::<Vec<_>>()
    };
    let hour = Duration::from_secs(60 * 60);
    let now = SystemTime::now();
    for (clock, warning) in [(now + hour, "ahead of"), (now - hour, "behind")] {
        let provider = with(ManualClock::at(clock)).build().expect("valid");
        let report = provider.check_store().await.expect("keeps conditions");
        assert!(report.to_string().contains(warning), "{report}");
    }
    // Who connects does not read the report.
    assert_eq!(warnings(), [""; 0]);
    let connected = with(ManualClock::at(now + hour)).connect().await;
    connected.expect("keeps conditions");
    let told = warnings();
    assert!(
        matches!(&told[..], [one] if one.starts_with("WARN") && one.contains("ahead of")),
        "{told:?}"
    );
    let report = place
        .provider()
        .check_store()
        .await
        .expect("keeps conditions");
    assert_eq!(report.warnings, [""; 0]);
}
