//! What happens when NATS forbids a request, or has no JetStream.

use std::time::Duration;

use shedlock_nats::NatsLockProvider;
use shedlock_nats::async_nats::ConnectOptions;
use shedlock_runtime::{ErrorKind, LockAdmin as _};
use shedlock_testkit::requests::{problem, taken};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Nats;
use tokio::time::sleep;

use super::place::Place;

/// A client of the user's hears of refusals alone; the provider tells what may be wrong.
#[tokio::test]
async fn no_answer_on_a_client_says_to_look_at_its_rights() {
    let server = server_or_skip!(Nats::shared().await);
    let place = Place::new(server).await;
    let url = server.url_of("reader", "correct-horse");
    let options = ConnectOptions::with_user_and_password("reader".into(), "correct-horse".into());
    let client = options.connect(url).await.expect("the password is right");
    let reader = NatsLockProvider::builder(client).bucket(&place.bucket);
    let error = problem(&reader.build().expect("valid"), "mail").await;
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("has the rights"), "{error}");
}

#[tokio::test]
async fn jetstream_that_is_off_is_told_with_the_remedy() {
    let server = server_or_skip!(Nats::start_without_jetstream().await);
    let provider = NatsLockProvider::connect(&server.url())
        .await
        .expect("NATS is there");
    let error = problem(&provider, "mail").await;
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(error.to_string().contains("JetStream is off"), "{error}");
    assert!(
        error
            .remedy()
            .is_some_and(|remedy| remedy.contains("store_dir")),
        "{error}"
    );
    let error = provider.check_bucket().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
}

#[tokio::test]
async fn rights_that_are_missing_are_named() {
    let server = server_or_skip!(Nats::shared().await);
    let place = Place::new(server).await;
    let reader = NatsLockProvider::builder_from_url(&server.url_of("reader", "correct-horse"));
    let reader = reader.bucket(&place.bucket).build().expect("valid");
    assert_eq!(reader.list().await.expect("may be read"), []);
    let error = problem(&reader, "mail").await;
    assert_eq!(error.kind(), ErrorKind::Permission);
    let right = format!("publish to `$KV.{}.mail`", place.bucket);
    assert!(error.to_string().contains(&right), "{error}");
    let error = reader.ensure_bucket().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert!(
        error.to_string().contains("$JS.API.STREAM.CREATE.KV_"),
        "{error}"
    );
    let free = taken(&place.provider(), "mail").await;
    free.unlock().await.expect("may be written");
    sleep(Duration::from_millis(5)).await;
    let error = reader.prune(Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert!(
        error.to_string().contains("$JS.API.STREAM.PURGE.KV_"),
        "{error}"
    );
}

/// The rights that the README lists are enough.
#[tokio::test]
async fn the_least_rights_are_enough() {
    let users = r#"
        no_auth_user: admin
        authorization { users: [
            { user: admin, password: "correct-horse" }
            { user: locks, password: "correct-horse", permissions: {
                publish: ["$KV.shedlock-locks.>", "$JS.API.STREAM.MSG.GET.KV_shedlock-locks", "$JS.API.STREAM.INFO.KV_shedlock-locks", "$JS.API.STREAM.PURGE.KV_shedlock-locks"]
                subscribe: "_INBOX.>"
            } }
        ] }
    "#;
    let server = server_or_skip!(Nats::start_configured(users).await);
    let admin = NatsLockProvider::connect(&server.url())
        .await
        .expect("NATS is there");
    admin.ensure_bucket().await.expect("an administrator may");
    let url = server.url_of("locks", "correct-horse");
    let provider = NatsLockProvider::connect(&url)
        .await
        .expect("the password is right");
    taken(&provider, "mail")
        .await
        .unlock()
        .await
        .expect("may be written");
    assert_eq!(provider.list().await.expect("may be listed").len(), 1);
    provider.check_bucket().await.expect("may be looked at");
    sleep(Duration::from_millis(5)).await;
    assert_eq!(
        provider
            .prune(Duration::ZERO)
            .await
            .expect("may be deleted"),
        1
    );
}
