//! What happens when the store or the network misbehaves.

#[path = "support/place.rs"]
mod place;
#[path = "support/stand_in.rs"]
mod stand_in;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use shedlock_object_store::object_store::ObjectStoreExt as _;
use shedlock_object_store::object_store::path::Path;
use shedlock_object_store::{ObjectStoreLockProvider, ObjectStoreLockProviderBuilder};
use shedlock_runtime::testing::ManualClock;
use shedlock_runtime::{
    AcquireRequest, Acquisition, ErrorKind, Lock, LockAdmin as _, LockConfiguration, LockError,
    LockProvider as _, LockProviderExt as _, Ownership,
};
use shedlock_testkit::proxy::{Direction, Ending, Rule, Trigger};
use shedlock_testkit::servers::{S3Proxy, SeaweedFs};
use shedlock_testkit::{Proxy, server_or_skip};
use tokio::time::sleep;

use place::{Place, Store};
use stand_in::Gcs;

/// What hangs longer than this hangs for ever.
const PATIENCE: Duration = Duration::from_secs(60);

fn config(name: &str) -> LockConfiguration {
    LockConfiguration::new(name, "10m").expect("a legal configuration")
}

/// A provider that reaches the place through the proxy.
async fn behind_proxy(place: &Place) -> (Proxy, ObjectStoreLockProvider) {
    let proxy = Proxy::start(place.address()).await.expect("a port is free");
    let url = place.url_at(proxy.address());
    let provider = ObjectStoreLockProvider::builder_from_url(&url).build();
    (proxy, provider.expect("valid"))
}

async fn taken(provider: &ObjectStoreLockProvider, name: &str) -> Lock {
    let lock = provider.try_lock(config(name)).await;
    lock.expect("the store answers").expect("is free")
}

/// Asks until there is an answer, as a scheduler does.
async fn until_answered(provider: &ObjectStoreLockProvider, name: &str) -> Option<Lock> {
    let start = Instant::now();
    loop {
        match provider.try_lock(config(name)).await {
            Ok(answer) => return answer,
            Err(error) => assert!(start.elapsed() < PATIENCE, "{error:?}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn problem(provider: &ObjectStoreLockProvider) -> LockError {
    let asked = provider.try_lock(config("mail")).await;
    asked.expect_err("the lock cannot be taken")
}

#[tokio::test]
async fn held_locks_outlive_a_kill_of_the_server() {
    let server = server_or_skip!(SeaweedFs::start().await);
    let place = Place::in_s3(&server).await;
    let (one, other) = (place.provider(), place.provider());
    let lock = taken(&one, "mail").await;
    let token = lock.fencing_token();
    server.kill().await.expect("signals can be sent");
    assert!(problem(&other).await.is_transient());
    server.restart().await.expect("it comes back");
    assert!(
        until_answered(&other, "mail").await.is_none(),
        "the lock is held"
    );
    assert_eq!(
        lock.unlock().await.expect("the store is back"),
        Ownership::Ours
    );
    let next = until_answered(&other, "mail").await.expect("was released");
    assert!(next.fencing_token() > token);
}

#[tokio::test]
async fn a_server_that_stands_still_is_given_up_in_time() {
    let server = server_or_skip!(SeaweedFs::start().await);
    let place = Place::in_s3(&server).await;
    let provider = place.provider();
    drop(taken(&provider, "warm").await);
    server.pause().await.expect("signals can be sent");
    let start = Instant::now();
    let limited = config("mail").with_timeout("3s").expect("legal");
    let error = provider.try_lock(limited).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    server.resume().await.expect("signals can be sent");
    assert!(until_answered(&provider, "other").await.is_some());
}

/// A firewall has forgotten the connection: nothing comes, and nothing says so.
#[tokio::test]
async fn a_dead_connection_is_replaced_in_the_same_call() {
    let place = Place::gcs().await;
    let (proxy, provider) = behind_proxy(&place).await;
    let lock = taken(&provider, "held").await;
    proxy.forget();
    let next = taken(&provider, "mail").await;
    next.unlock().await.expect("over a new connection");
    lock.unlock().await.expect("the store answers");
}

/// The reply to a write is lost. The write is sent again, and the owner in the record tells that it has been done.
#[tokio::test]
async fn a_write_whose_reply_is_lost_is_done_once_and_granted() {
    for place in [server_or_skip!(Place::s3().await), Place::gcs().await] {
        let (proxy, provider) = behind_proxy(&place).await;
        let write = || Trigger::containing("PUT /");
        let back = async || {
            proxy.triggered().await;
            sleep(Duration::from_millis(300)).await;
            proxy.set(Rule::Pass);
        };
        proxy.on(write(), Rule::Discard(Direction::ToClient));
        let (mut lock, ()) = tokio::join!(taken(&provider, "mail"), back());
        let granted = place.get("mail").await.expect("an object");

        proxy.on(write(), Rule::Discard(Direction::ToClient));
        let (extended, ()) = tokio::join!(lock.extend("20m", Duration::ZERO), back());
        extended.expect("sent again");
        assert_ne!(
            place.get("mail").await.expect("an object").version,
            granted.version
        );

        proxy.on(write(), Rule::Discard(Direction::ToClient));
        let forcing = provider.force_release("mail", "its node is gone");
        let (forced, ()) = tokio::join!(forcing, back());
        assert!(forced.expect("sent again"), "it was this call's");
    }
}

/// The write passes, its reply does not, and then nothing does: the lock may have been granted.
#[tokio::test]
async fn a_write_that_may_have_been_done_is_in_doubt() {
    let place = Place::gcs().await;
    let (proxy, provider) = behind_proxy(&place).await;
    taken(&provider, "warm")
        .await
        .unlock()
        .await
        .expect("the store answers");
    proxy.refuse_connections().await;
    proxy.on(
        Trigger::containing("PUT /"),
        Rule::EndOnReply(Ending::Reset),
    );
    let clock = provider.info().clock().boot();
    let request = AcquireRequest::new(config("mail"), clock);
    let error = provider
        .acquire(&request)
        .await
        .expect_err("there is no answer");
    assert!(error.kind().is_ambiguous(), "{error:?}");
    assert!(place.get("mail").await.is_some(), "it was granted");
}

#[tokio::test]
async fn a_late_write_changes_nothing() {
    for place in [server_or_skip!(Place::s3().await), Place::gcs().await] {
        let (proxy, slow) = behind_proxy(&place).await;
        let lock = taken(&slow, "mail").await;
        let late = proxy.hold_back(Trigger::containing("PUT /"));
        // What the release does in the background is late as well.
        let hold = async {
            sleep(Duration::from_millis(300)).await;
            proxy.set(Rule::Hold(Direction::ToServer));
        };
        let unlocking = tokio::time::timeout(Duration::from_millis(600), lock.unlock());
        let (unlocking, ()) = tokio::join!(unlocking, hold);
        assert!(unlocking.is_err(), "nothing passes");
        let forced = place
            .provider()
            .force_release("mail", "its node is slow")
            .await;
        assert!(forced.expect("the store answers"));
        let next = taken(&place.provider(), "mail").await;
        let entry = place.get("mail").await;
        proxy.set(Rule::Pass);
        late.deliver().await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(place.get("mail").await, entry);
        assert!(next.is_held());
    }
}

#[tokio::test]
async fn a_question_costs_as_many_requests_as_it_must() {
    let place = Place::gcs().await;
    let (proxy, provider) = behind_proxy(&place).await;
    taken(&provider, "warm")
        .await
        .unlock()
        .await
        .expect("the store answers");
    let mut before = proxy.counters().round_trips;
    let mut asked = || {
        let now = proxy.counters().round_trips;
        now - std::mem::replace(&mut before, now)
    };
    let mut lock = taken(&provider, "mail").await;
    assert_eq!(asked(), 2, "an acquisition");
    assert!(
        provider
            .try_lock(config("mail"))
            .await
            .expect("answers")
            .is_none()
    );
    assert_eq!(asked(), 1, "a refusal");
    lock.extend("20m", Duration::ZERO).await.expect("answers");
    assert_eq!(asked(), 1, "an extension");
    lock.unlock().await.expect("answers");
    assert_eq!(asked(), 1, "a release");
    taken(&provider, "mail")
        .await
        .unlock()
        .await
        .expect("answers");
    assert_eq!(
        asked(),
        3,
        "an acquisition of a free record, and its release"
    );
}

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
    // Nobody else is seen, so this is not told as "held".
    gcs.refuse(&[(409, ""); 4]);
    let error = problem(&provider).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
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
            problem(&provider).await.kind(),
            ErrorKind::Unavailable,
            "{status}"
        );
    }
    gcs.refuse(&[(500, "<Code>InternalError</Code>"); 4]);
    assert_eq!(problem(&provider).await.kind(), ErrorKind::Indeterminate);
}

#[tokio::test]
async fn a_clock_that_the_store_refuses_is_told_with_both_times() {
    let place = Place::gcs().await;
    let skewed = "<Code>RequestTimeTooSkewed</Code><RequestTime>11:00</RequestTime><ServerTime>10:00</ServerTime>";
    stand_in(&place).refuse(&[(403, skewed)]);
    let error = problem(&place.provider()).await;
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(
        error.to_string().contains("11:00 here, 10:00 there"),
        "{error}"
    );
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

#[tokio::test]
async fn a_bucket_that_is_deleted_under_a_held_lock_is_told() {
    let place = Place::gcs().await;
    let provider = place.provider();
    let mut lock = taken(&provider, "mail").await;
    place.remove().await;
    let error = lock.extend("20m", Duration::ZERO).await.unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
    assert_eq!(problem(&provider).await.kind(), ErrorKind::Schema);
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
                    let clock = provider.info().clock().boot();
                    let request = AcquireRequest::new(config(&format!("race-{name}")), clock);
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
